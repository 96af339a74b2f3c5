package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"lethe/policy"
)

// vconSchemas are our own, and the published one where PUBLISHED_VCON_SCHEMA
// names its file.
func vconSchemas(t *testing.T) []*jsonschema.Schema {
	t.Helper()
	files := []string{"testdata/vcon.schema.json"}
	if f := os.Getenv("PUBLISHED_VCON_SCHEMA"); f != "" {
		files = append(files, f)
	}
	var out []*jsonschema.Schema
	for _, f := range files {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		s, err := c.Compile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
	}
	return out
}

func checkVCon(t *testing.T, text []byte) {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, s := range vconSchemas(t) {
		if err := s.Validate(doc); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

func record() policy.Record {
	id := policy.NewConversationID()
	began := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	return policy.Record{Conversation: id, Channel: policy.SIP, Trunk: "t", To: "support", From: policy.Said("+442034752074"), Profile: "default",
		PolicyVersion: "1", Started: began, Ended: began.Add(time.Minute), Expires: began.AddDate(0, 6, 0), Outcome: policy.CompletedByCaller,
		Counted: true, Receipt: policy.Receipt{Conversation: id, Born: 9, Forgotten: 9, Longest: time.Second}}
}

func TestVCon(t *testing.T) {
	t.Parallel()
	whole := record()
	for i, p := range []policy.Party{policy.Agent, policy.Caller, policy.Person, policy.System} {
		whole.Turns = append(whole.Turns, policy.Turn{Conversation: whole.Conversation, Seq: i + 1, Party: p, Words: policy.Said("words <&> \" \u2028 end"),
			Start: time.Duration(i) * time.Second, End: time.Duration(i+1) * time.Second, Confidence: 0.9})
	}
	silent, live := record(), record()
	silent.From = policy.Words{}
	live.Counted, live.Outcome, live.Ended = false, policy.Ongoing, time.Time{}
	live.From = policy.Said("anonymous")
	for name, r := range map[string]policy.Record{"whole": whole, "nothing was said": silent, "it goes on": live} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := printVCon(&out, r, time.Now()); err != nil {
				t.Fatal(err)
			}
			checkVCon(t, out.Bytes())
			if strings.Contains(out.String(), `"recording"`) || strings.Contains(out.String(), `"url"`) {
				t.Error("it speaks of a recording")
			}
			if n := strings.Count(out.String(), `"type": "text"`); n != len(r.Turns) {
				t.Errorf("%d of %d turns", n, len(r.Turns))
			}
		})
	}
}

// The control: the schema refuses what is wrong.
func TestVConSchemaRefuses(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := printVCon(&out, record(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{`"0.4.0"`: `"0.3.0"`, `"incomplete"`: `"recording"`, `"hung-up"`: `"bored"`, `"start": "2026`: `"start": "last 2026`} {
		doc, err := jsonschema.UnmarshalJSON(strings.NewReader(strings.Replace(out.String(), from, to, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if vconSchemas(t)[0].Validate(doc) == nil {
			t.Errorf("%s in the place of %s passes", to, from)
		}
	}
}
