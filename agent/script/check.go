package script

import (
	"fmt"
	"regexp"
	"strings"

	"lethe/internal/settings"
)

// finder gives problems their place in the file.
type finder struct {
	name   string
	loaded *settings.Loaded
}

func (f finder) problem(key, what, remedy string) settings.Problem {
	p := settings.Problem{File: f.name, Key: key, What: what, Remedy: remedy}
	for k := key; k != ""; k = k[:max(0, strings.LastIndexAny(k, ".["))] {
		if p.Line = f.loaded.Origin(k).Line; p.Line > 0 {
			break
		}
	}
	return p
}

type problems struct {
	finder
	all settings.Problems
}

func (p *problems) add(key, what, remedy string) {
	p.all = append(p.all, p.problem(key, what, remedy))
}

// check finds everything that is wrong.
func (c *Config) check(f finder) error {
	p := &problems{finder: f}
	p.sentence("greeting", c.Greeting, "write what the agent says first")
	if len(c.Intents) == 0 {
		p.add("intents", "there is none", "list at least one with name, phrases and replies")
	}
	said, names, keys := map[string]string{}, map[string]bool{}, map[string]string{}
	for i := range c.Intents {
		at := fmt.Sprintf("intents[%d]", i)
		in := &c.Intents[i]
		p.intent(at, in)
		p.phrases(at, in, said)
		p.keys(at, in, keys)
		if in.Name != "" && names[in.Name] {
			p.add(at+".name", fmt.Sprintf("%q is used twice", in.Name), "give each intent a name of its own")
		}
		names[in.Name] = true
		p.then(at+".then", &in.Then, c, true)
	}
	p.prompts("fallback", &c.Fallback, c)
	p.prompts("no_input", &c.NoInput, c)
	if c.Transfer.Target != "" && !target.MatchString(c.Transfer.Target) {
		p.add("transfer.target", "is no SIP or tel URI", "write it like sip:desk@example.org or tel:+15550100")
	}
	return settings.Join(p.all)
}

var target = regexp.MustCompile(`^(sips?:[^\s<>"@]+(@[^\s<>"@]+)?|tel:\+?[0-9*#.-]+)$`)

func (p *problems) intent(at string, in *Intent) {
	if strings.TrimSpace(in.Name) == "" {
		p.add(at+".name", "is missing", "give the intent a name")
	}
	if len(in.Phrases) == 0 && len(in.Keys) == 0 {
		p.add(at+".phrases", "there is none", "list what callers say, or the keys they press")
	}
	if len(in.Replies) == 0 && in.Then != thenRepeat && in.Then != thenTransfer {
		p.add(at+".replies", "there is none", "list at least one sentence")
	}
	p.sentences(at+".replies", in.Replies)
}

// phrases have words, and no two intents have the same one.
func (p *problems) phrases(at string, in *Intent, said map[string]string) {
	for i, ph := range in.Phrases {
		key := fmt.Sprintf("%s.phrases[%d]", at, i)
		words := strings.Join(tokens(ph), " ")
		switch of, twice := said[words]; {
		case words == "":
			p.add(key, "has no words", "write what a caller says, or delete it")
		case twice && of != in.Name:
			p.add(key, fmt.Sprintf("is a phrase of intent %q as well", of), "keep it in one of the two")
		case twice:
			p.add(key, "is there twice", "delete one of the two")
		}
		said[words] = in.Name
	}
}

func (p *problems) keys(at string, in *Intent, of map[string]string) {
	for i, k := range in.Keys {
		key := fmt.Sprintf("%s.keys[%d]", at, i)
		if len(k) != 1 || !strings.Contains("0123456789*#", k) {
			p.add(key, fmt.Sprintf("%q is no key", k), "write one of 0 to 9, * and #, in quotes")
			continue
		}
		if other, twice := of[k]; twice {
			p.add(key, fmt.Sprintf("is a key of intent %q as well", other), "give each key to one intent")
		}
		of[k] = in.Name
	}
}

func (p *problems) prompts(at string, pr *Prompts, c *Config) {
	if len(pr.Replies) == 0 {
		p.add(at+".replies", "there is none", "list at least one sentence")
	}
	p.sentences(at+".replies", pr.Replies)
	if pr.Limit < 0 {
		p.add(at+".limit", "is negative", "write how often in a row, or 0 for no limit")
	}
	if pr.Limit > 0 && pr.Then == "" {
		p.add(at+".then", "is missing although there is a limit", "write end or transfer")
	}
	p.then(at+".then", &pr.Then, c, false)
}

func (p *problems) then(at string, then *string, c *Config, repeat bool) {
	switch *then {
	case "":
		*then = thenListen
	case thenListen, thenEnd:
	case thenRepeat:
		if !repeat {
			p.add(at, "there is nothing to repeat here", "write listen, end or transfer")
		}
	case thenTransfer:
		if c.Transfer.Target == "" {
			p.add(at, "is transfer, but transfer.target is not set", "set transfer.target to a SIP or tel URI")
		}
	default:
		p.add(at, fmt.Sprintf("%q is not known", *then), "write listen, end, transfer or repeat")
	}
}

func (p *problems) sentences(at string, all []string) {
	for i, s := range all {
		p.sentence(fmt.Sprintf("%s[%d]", at, i), s, "write a sentence, or delete it")
	}
}

func (p *problems) sentence(at, s, remedy string) {
	if strings.TrimSpace(s) == "" {
		p.add(at, "is empty", remedy)
	}
}
