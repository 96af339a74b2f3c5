package script

import (
	"fmt"
	"strings"
	"testing"
)

func support(t testing.TB) *Script {
	t.Helper()
	data, err := Embedded("support")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Parse("support.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every phrase of the shipped script means its own intent, bare and among
// fillers.
func TestPhrasesMatchTheirIntent(t *testing.T) {
	s := support(t)
	if n := len(s.Vocabulary()); n < 40 {
		t.Fatalf("%d phrases, want 40", n)
	}
	for _, in := range s.cfg.Intents {
		for _, p := range in.Phrases {
			for _, form := range []string{"%s", "um hello %s please", "well you know %s", "%s uh thank you", "okay so %s"} {
				said := fmt.Sprintf(form, p)
				if got, _ := s.Intent(said); got != in.Name {
					t.Errorf("%q: %q, want %q", said, got, in.Name)
				}
			}
		}
	}
}

// Said in other words, or heard with errors.
func TestVariantsMatch(t *testing.T) {
	s := support(t)
	for said, want := range map[string]string{
		"hi there could you tell me what your opening hours are": "opening hours",
		"What're your opening hours?":                            "opening hours",
		"what are you opening our hours":                         "opening hours",
		"are you open on saturdays":                              "opening hours",
		"I've got a question about my bill":                      "bill",
		"why is the invoice so much higher this month":           "bill",
		"how can i pay for it":                                   "payment",
		"when's my payment due":                                  "payment",
		"my internet isn't working":                              "no internet",
		"the internet's down again":                              "no internet",
		"my conection keeps dropping":                            "no internet",
		"my internet is really very slow today":                  "slow internet",
		"could you send a technician to me":                      "technician",
		"i've forgotten i forgot my password":                    "password",
		"my account has been locked":                             "password",
		"i can't log in":                                         "password",
		"where is my order please it should have been here":      "order",
		"when will the package arrive":                           "order",
		"i'd like to cancel my contract":                         "cancel",
		"i would like to return the device":                      "return",
		"we are moving house next month":                         "address",
		"can we use our phones abroad":                           "roaming",
		"i lost the sim card":                                    "lost card",
		"can i speak to a person":                                "person",
		"i want to speak to a human being":                       "person",
		"say that again please":                                  "repeat",
		"no thanks that was everything":                          "goodbye",
		"good bye goodbye":                                       "goodbye",
		"good evening this is about my phone i am calling because i lost my sim card": "lost card",
	} {
		if got, _ := s.Intent(said); got != want {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
}

// unrelated sentences share words with the phrases where they can.
const unrelated = `
the weather will be fine tomorrow
i had a sandwich for lunch
my sister lives in a small town by the sea
the train to the city leaves at seven
can you recommend a good restaurant
when does the concert start
my neighbour has a very loud dog
he sent a letter to his old friend
the man in the red house is a doctor
please close the window it is cold in here
i want to buy a new car next year
what is the capital of australia
she is open to new ideas
the river is very slow at this time of the year
the phone on the table is not mine
what time is it in london
are you going to the party on saturday
my house has a blue door
i would like to book a table for two
there was a question in the exam about the moon
how high is the mountain
she paid for the flowers with coins
the order of the books is wrong
we went to another country last summer
his number is on the wall
the light in the kitchen is broken
the wind is strong this month
it takes forever to cook rice
do you know a good dentist near the station
i will send you a postcard from italy
the children are playing in the garden
he forgot his umbrella on the bus
the speed of light is constant
i need a haircut
next week we travel to the mountains
the bird has not come back
one two three four five
you are very kind
yes
no
i think so
i do not know what to say
how are you today
is it raining
what does the fox say
turn the music down please
the engine of my car makes a strange noise
the house at the end of the road is empty
put the milk back in the fridge
the agent in the film was a spy
i lost my keys in the park
my brother works for the post
a person of great talent
the bank is across the street
the page is missing from the book
it is a long story
the bill of the bird is yellow
we have a small connection to the royal family
her new address to the nation was moving
the operator of the crane had a coffee
`

// A sentence about something else is not taken for an intent: 5 % at most.
func TestUnrelatedDoesNotMatch(t *testing.T) {
	s := support(t)
	taken, all := 0, 0
	for said := range strings.SplitSeq(strings.TrimSpace(unrelated), "\n") {
		all++
		if in, ok := s.Intent(said); ok {
			taken++
			t.Logf("%q was taken for %q", said, in)
		}
	}
	t.Logf("%d of %d taken for an intent", taken, all)
	if taken*20 > all {
		t.Errorf("%d of %d unrelated sentences were taken for an intent", taken, all)
	}
}

func TestEqualIntentsAreNoMatch(t *testing.T) {
	s := compile(Config{Intents: []Intent{
		{Name: "red", Phrases: []string{"the red car"}},
		{Name: "blue", Phrases: []string{"the blue car"}},
	}})
	if in, ok := s.Intent("the car"); ok {
		t.Errorf("taken for %q", in)
	}
	if in, _ := s.Intent("the blue car"); in != "blue" {
		t.Errorf("taken for %q", in)
	}
}

func FuzzMatch(f *testing.F) {
	s := support(f)
	f.Add("what are your opening hours")
	f.Add("''''s n't")
	f.Fuzz(func(_ *testing.T, said string) { s.Intent(said) })
}

func BenchmarkIntent(b *testing.B) {
	s := support(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Intent("good evening this is about my phone i am calling because i lost my sim card")
	}
}
