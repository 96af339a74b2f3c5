package conversation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lethe/agent"
	"lethe/media"
	"lethe/policy"
)

// disclosed is the sentence that comes first.
func (b *bench) disclosed() string {
	return b.archive.said()[0]
}

func TestConversation(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.mind.greeting = "Welcome. How can I help?"
	b.mind.answers["when are you open"] = []agent.Reply{says("From eight to six."), says("And on Saturday from nine.")}
	b.mind.answers["goodbye"] = []agent.Reply{says("Goodbye."), {Act: agent.End}}
	b.engine.lines = []string{"when are you open", "goodbye"}
	_, wait := b.begin()
	b.awaitTurns(2)
	b.say(600 * time.Millisecond)
	b.awaitTurns(5)
	b.say(500 * time.Millisecond)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	said := b.archive.said()
	want := []string{"agent: Welcome. How can I help?", "caller: when are you open", "agent: From eight to six.",
		"agent: And on Saturday from nine.", "caller: goodbye", "agent: Goodbye."}
	if !strings.Contains(said[0], "You are speaking with a machine") || !strings.Contains(said[0], "The audio is not kept") || !slices.Equal(said[1:], want) {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.CompletedByAgent)
	if b.mind.closed != 1 {
		t.Errorf("the mind was closed %d times", b.mind.closed)
	}
	for _, e := range b.watch.of(FinalHeard) {
		if h := b.config.Voice.Hangover; e.Took < h-60*time.Millisecond || e.Took > h+400*time.Millisecond {
			t.Errorf("final after %v, the hang-over is %v", e.Took, h)
		}
	}
	if r := b.watch.of(ReplyStarted); len(r) != 2 {
		t.Errorf("%d replies were timed", len(r))
	} else if r[0].Took < b.config.Voice.Hangover-60*time.Millisecond || r[0].Took > time.Second {
		t.Errorf("reply after %v", r[0].Took)
	}
	if r := b.archive.settled.Receipt(); r.Born < 100 {
		t.Errorf("only %d frames in the receipt", r.Born)
	}
	for _, words := range []string{"open", "Welcome", "Saturday", "+15550100"} {
		if strings.Contains(b.log.text(), words) {
			t.Errorf("the log says %q", words)
		}
	}
	if len(b.journal.Entries()) == 0 {
		t.Error("no entry in the journal")
	}
}

// Until the last word of the disclosure was played, no frame reaches an engine,
// however much the caller speaks; and speaking does not cut it off.
func TestNobodyListensBeforeTheDisclosure(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.mind.answers["yes"] = []agent.Reply{{Act: agent.End}}
	b.engine.lines = []string{"yes"}
	var lastWord time.Time
	seen := make(chan struct{})
	go func() { // the caller speaks all the time
		defer close(seen)
		b.say(1500 * time.Millisecond)
	}()
	_, wait := b.begin()
	b.await(Disclosed, 1)
	lastWord, spoken := b.sent.loud()
	if n := len(b.watch.of(SpeechStarted)); n == 0 {
		t.Error("voice activity did not hear the caller")
	}
	<-seen
	b.say(600 * time.Millisecond)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	length := time.Duration(len(strings.TrimPrefix(b.disclosed(), "agent: "))) * pace
	if spoken < length-40*time.Millisecond || strings.HasSuffix(b.disclosed(), "...") {
		t.Errorf("%v of a disclosure of %v were sent", spoken, length)
	}
	s := b.engine.session(0)
	if s.first.IsZero() || s.first.Before(lastWord) {
		t.Errorf("the engine heard the caller %v before the last word of the disclosure was sent", lastWord.Sub(s.first))
	}
	if opened := b.watch.of(EngineOpened)[0].At; opened.Before(lastWord) {
		t.Errorf("the engine was opened %v too early", lastWord.Sub(opened))
	}
	b.ended(policy.CompletedByAgent)
}

func TestBargeIn(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	long := strings.Repeat("and so it goes on and on ", 40)
	b.mind.greeting = long
	b.mind.answers["stop"] = []agent.Reply{{Act: agent.End}}
	b.engine.lines = []string{"stop"}
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	_, before := b.sent.loud()
	b.until("a second of the greeting", func() bool { _, all := b.sent.loud(); return all > before+time.Second })
	b.say(time.Second)
	cut := b.await(AgentCut, 1)
	quiet, _ := b.sent.loud()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if after := b.watch.of(SpeechStarted); len(after) == 0 || cut.At.Sub(after[0].At) > 100*time.Millisecond {
		t.Errorf("cut %v after speech was noticed", cut.At.Sub(after[0].At))
	}
	if late := quiet.Sub(cut.At); late > 100*time.Millisecond {
		t.Errorf("the agent spoke for %v after it was cut", late)
	}
	said := b.archive.said()
	heard, ok := strings.CutSuffix(strings.TrimPrefix(said[1], "agent: "), "...")
	if !ok || !strings.HasPrefix(long, heard) {
		t.Fatalf("stored %q", said[1])
	}
	if n := time.Duration(len(heard)) * pace; n < 800*time.Millisecond || n > 2*time.Second {
		t.Errorf("%v of the answer are said to have been heard", n)
	}
	if got := b.mind.noted(); got != "cut after: "+heard+"|stop" {
		t.Errorf("the mind was told %q", got)
	}
	b.ended(policy.CompletedByAgent)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.mind.greeting = strings.Repeat("press one or two ", 40)
	b.mind.answers["key 2"] = []agent.Reply{says("Two it is."), {Act: agent.End}}
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	if err := b.caller.SendKeys(t.Context(), "12"); err != nil {
		t.Fatal(err)
	}
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if got := b.mind.noted(); !strings.HasSuffix(got, "key 1|key 2") {
		t.Errorf("the mind was told %q", got)
	}
	said := b.archive.said()
	if !slices.Contains(said, "caller: keys 12") || !slices.Contains(said, "agent: Two it is.") {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.CompletedByAgent)
}

func TestNoInputEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t, func(b *bench, _ *media.Config) { b.config.NoInput = time.Second })
	b.mind.answers["quiet 1"] = []agent.Reply{says("Hello?")}
	b.mind.answers["quiet 2"] = []agent.Reply{says("Bye."), {Act: agent.End}}
	_, wait := b.begin()
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if got := b.mind.noted(); got != "quiet 1|quiet 2" {
		t.Errorf("the mind was told %q", got)
	}
	b.ended(policy.CompletedByAgent)
}

func TestCoughIsNotAWord(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.mind.greeting = strings.Repeat("and so it goes on and on ", 40)
	b.mind.answers["stop"] = []agent.Reply{{Act: agent.End}}
	b.engine.lines = []string{"", "stop"}
	_, wait := b.begin()
	b.await(EngineOpened, 1)
	_, before := b.sent.loud()
	b.until("half a second of the greeting", func() bool { _, all := b.sent.loud(); return all > before+500*time.Millisecond })
	b.say(300 * time.Millisecond)
	b.await(NotUnderstood, 1)
	b.awaitTurns(3)
	b.say(300 * time.Millisecond)
	if err := wait(); err != nil {
		t.Fatal(err)
	}
	if got := b.mind.noted(); !strings.HasSuffix(got, "unclear|stop") {
		t.Errorf("the mind was told %q", got)
	}
	if said := b.archive.said(); said[2] != "agent: What did you say?" {
		t.Errorf("transcript %q", said)
	}
	b.ended(policy.CompletedByAgent)
}
