package corpus

import (
	"slices"
	"strings"
	"testing"

	"lethe/transcribe/wer"
)

// Who is scored was not looked at: no test voice is a development voice, and no
// test sentence a development sentence.
func TestNobodyIsOnBothSides(t *testing.T) {
	for _, v := range TestVoices() {
		if slices.Contains(DevVoices(), v) {
			t.Errorf("%v is on both sides", v)
		}
	}
	if n := len(TestVoices()); n < 4 {
		t.Errorf("%d voices are scored", n)
	}
	seen := map[string]string{}
	for _, text := range []string{Support, Open, Hotel, OpenDev, Train} {
		sentences, err := Sentences(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range sentences {
			if other := seen[s]; other != "" && (testText(text) != testText(other)) {
				t.Errorf("%q is in %s and in %s", s, text, other)
			}
			seen[s] = text
			if strings.Join(wer.Words(s), " ") != s {
				t.Errorf("%s: %q is not written as it is spoken", text, s)
			}
		}
		if text == Support && len(sentences) < 40 {
			t.Errorf("the vocabulary has %d phrases", len(sentences))
		}
	}
}

func testText(name string) bool { return name == Support || name == Open }

// A sentence outside the vocabulary that contains a phrase of it would count as
// taken however well it was heard.
func TestOpenIsOutside(t *testing.T) {
	phrases, err := Sentences(Support)
	if err != nil {
		t.Fatal(err)
	}
	open, err := Sentences(Open)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range open {
		if wer.Contains(phrases, s) {
			t.Errorf("%q contains a phrase", s)
		}
	}
}

func TestSpeakAndHuman(t *testing.T) {
	voices := []Voice{{"flite", "slt"}, {"espeak-ng", "en-us"}}
	cases, err := Speak(t.Context(), voices, []string{"pay my bill", "block my card"}, 1)
	if err != nil {
		t.Fatal(err)
	}
	people, err := Human()
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 4 || len(people) != 10 {
		t.Fatalf("%d spoken, %d recorded", len(cases), len(people))
	}
	for _, c := range append(cases, people...) {
		if c.Rate != rate || len(c.PCM) < rate/2 || c.Text == "" || strings.ContainsAny(c.Text, "<>()") {
			t.Errorf("%s: %d samples at %d Hz: %q", c.Name, len(c.PCM), c.Rate, c.Text)
		}
	}
	half, err := Speak(t.Context(), voices, []string{"pay my bill", "block my card"}, 2)
	if err != nil || len(half) != 2 || half[0].Name != cases[0].Name || half[1].Name != cases[3].Name {
		t.Errorf("every second of four: %d, %v", len(half), err)
	}
}
