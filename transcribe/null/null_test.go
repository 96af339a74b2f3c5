package null_test

import (
	"testing"

	"go.uber.org/goleak"

	"lethe/transcribe/null"
	"lethe/transcribe/transcribetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	transcribetest.Run(t, func(testing.TB) transcribetest.Fixture {
		return transcribetest.Fixture{Engine: new(null.Engine), Speech: make([]int16, 16000/2)}
	})
}

func TestItHears(t *testing.T) {
	e := new(null.Engine)
	transcribetest.Run(t, func(testing.TB) transcribetest.Fixture {
		return transcribetest.Fixture{Engine: e, Speech: make([]int16, 16000/2)}
	})
	if e.Samples() < 16000 {
		t.Errorf("heard %d samples", e.Samples())
	}
}
