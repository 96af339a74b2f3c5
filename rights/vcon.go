// Package rights serves those whom the data is about. Here: a conversation as a
// document that can be handed over, a vCon (draft-ietf-vcon-vcon-core, syntax
// 0.4.0). It is given what was read under a policy.Access, and reads nothing
// itself.
package rights

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"lethe/policy"
)

// The parts of a vCon that are used. What a turn says is a dialog of its own;
// the analysis says how sure the engine was of it; the attachments say what
// became of the audio and how long the text is kept.
type (
	vcon struct {
		VCon        string       `json:"vcon"`
		UUID        string       `json:"uuid"`
		CreatedAt   string       `json:"created_at"`
		Subject     string       `json:"subject"`
		Redacted    redacted     `json:"redacted"`
		Parties     []party      `json:"parties"`
		Dialog      []dialog     `json:"dialog"`
		Analysis    []analysis   `json:"analysis"`
		Attachments []attachment `json:"attachments"`
	}
	redacted struct {
		Type string `json:"type"`
	}
	party struct {
		Type       string `json:"type"`
		Tel        string `json:"tel,omitempty"`
		SIP        string `json:"sip,omitempty"`
		Name       string `json:"name,omitempty"`
		Org        string `json:"org,omitempty"`
		Validation string `json:"validation"`
	}
	dialog struct {
		Type        string  `json:"type"`
		Start       string  `json:"start"`
		Duration    float64 `json:"duration"` // seconds
		Parties     []int   `json:"parties"`
		Originator  int     `json:"originator"`
		MediaType   string  `json:"mediatype,omitempty"`
		Encoding    string  `json:"encoding,omitempty"`
		Body        *string `json:"body,omitempty"`
		Disposition string  `json:"disposition,omitempty"`
		Application string  `json:"application"`
	}
	analysis struct {
		Type      string  `json:"type"`
		Dialog    []int   `json:"dialog"`
		Vendor    string  `json:"vendor"`
		Schema    string  `json:"schema"`
		MediaType string  `json:"mediatype"`
		Encoding  string  `json:"encoding"`
		Body      []heard `json:"body"`
	}
	heard struct {
		Dialog      int     `json:"dialog"`
		Party       string  `json:"party"`
		Start       float64 `json:"start"` // seconds of stream time
		End         float64 `json:"end"`
		Text        string  `json:"text"`
		Confidence  float32 `json:"confidence"`
		Interrupted bool    `json:"interrupted"`
	}
	attachment struct {
		Purpose   string `json:"purpose"`
		Start     string `json:"start"`
		Party     int    `json:"party"`
		Dialog    int    `json:"dialog"`
		MediaType string `json:"mediatype"`
		Encoding  string `json:"encoding"`
		Body      any    `json:"body"`
	}
	receipt struct {
		Counted   bool    `json:"counted"` // false: the process died before it could count
		Frames    uint64  `json:"frames"`
		Forgotten uint64  `json:"forgotten"`
		Held      uint64  `json:"held"`
		LongestMS float64 `json:"longest_ms"`
	}
	retention struct {
		Expires       string `json:"expires"`
		Profile       string `json:"profile"`
		PolicyVersion string `json:"policy_version"`
		PrivacyPolicy string `json:"privacy_policy_url"`
		AgentPolicy   string `json:"agent_policy_url"`
		Contact       string `json:"contact,omitempty"`
		Outcome       string `json:"outcome"`
	}
)

// Places in the list of parties.
const (
	callerParty = iota
	agentParty
	organisationParty
	personParty
)

// VCon is the conversation as a vCon in JSON, ended by a new line. rules are
// those of the organisation that answers for it. ErrNotGranted when the access
// is not in force.
func VCon(a policy.Access, r policy.Record, rules policy.Rules, now time.Time) ([]byte, error) {
	if err := a.Check(now); err != nil {
		return nil, err
	}
	if !r.Conversation.Valid() {
		return nil, fmt.Errorf("rights: the conversation's id is no UUID")
	}
	v := vcon{
		VCon: "0.4.0", UUID: string(r.Conversation), CreatedAt: stamp(now), Subject: "Conversation with " + r.To,
		Redacted: redacted{Type: "lethe-text"},
		Parties: []party{
			caller(r.From.Reveal()),
			{Type: "bot", Name: r.To, Org: rules.Organisation, Validation: "none"},
			{Type: "organization", Name: rules.Organisation, Org: rules.Organisation, Validation: "none"},
		},
		Dialog: dialogs(r),
	}
	if v.hasPerson() {
		v.Parties = append(v.Parties, party{Type: "person", Org: rules.Organisation, Validation: "none"})
	}
	v.Analysis = transcript(r)
	v.Attachments = attachments(r, rules)
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("rights: %w", err)
	}
	return out.Bytes(), nil
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// caller is the party as signalling named it; nobody has verified it.
func caller(from string) party {
	p := party{Type: "person", Validation: "none"}
	number := strings.TrimPrefix(from, "tel:")
	switch {
	case strings.HasPrefix(from, "sip:") || strings.HasPrefix(from, "sips:"):
		p.SIP = from
	case len(number) > 1 && number[0] == '+' && strings.Trim(number[1:], "0123456789") == "":
		p.Tel = "tel:" + number // RFC 3966: a global number
	default:
		p.Name = from
	}
	return p
}

func dialogs(r policy.Record) []dialog {
	if len(r.Turns) == 0 {
		// A vCon's attachments belong to a dialog: that nothing was said is one.
		return []dialog{{Type: "incomplete", Start: stamp(r.Started), Parties: []int{callerParty, agentParty}, Originator: callerParty,
			Disposition: disposition(r.Outcome), Application: r.Channel.String()}}
	}
	out := make([]dialog, len(r.Turns))
	for i, t := range r.Turns {
		text := t.Words.Reveal()
		out[i] = dialog{Type: "text", Start: stamp(r.Started.Add(t.Start)), Duration: max(0, (t.End - t.Start).Seconds()),
			Parties: between(t.Party), Originator: originator(t.Party), MediaType: "text/plain", Encoding: "none", Body: &text,
			Application: r.Channel.String()}
	}
	return out
}

func originator(p policy.Party) int {
	switch p {
	case policy.Caller:
		return callerParty
	case policy.Person:
		return personParty
	case policy.Agent, policy.System:
	}
	return agentParty
}

// between is who takes part in a turn.
func between(p policy.Party) []int {
	if p == policy.Person {
		return []int{callerParty, personParty}
	}
	return []int{callerParty, agentParty}
}

func (v vcon) hasPerson() bool {
	for _, d := range v.Dialog {
		if d.Originator == personParty {
			return true
		}
	}
	return false
}

// disposition is the vCon's word for why nothing was said.
func disposition(o policy.Outcome) string {
	if o == policy.CompletedByCaller || o == policy.Cancelled {
		return "hung-up"
	}
	return "failed"
}

func transcript(r policy.Record) []analysis {
	if len(r.Turns) == 0 {
		return []analysis{}
	}
	a := analysis{Type: "transcript", Vendor: "lethe", Schema: "lethe-turns-1", MediaType: "application/json", Encoding: "json"}
	for i, t := range r.Turns {
		a.Dialog = append(a.Dialog, i)
		a.Body = append(a.Body, heard{Dialog: i, Party: t.Party.String(), Start: t.Start.Seconds(), End: t.End.Seconds(),
			Text: t.Words.Reveal(), Confidence: t.Confidence, Interrupted: t.Interrupted})
	}
	return []analysis{a}
}

func attachments(r policy.Record, rules policy.Rules) []attachment {
	attach := func(purpose string, at time.Time, body any) attachment {
		return attachment{Purpose: purpose, Start: stamp(at), Party: organisationParty, Dialog: 0,
			MediaType: "application/json", Encoding: "json", Body: body}
	}
	out := []attachment{attach("retention", r.Started, retention{Expires: stamp(r.Expires), Profile: r.Profile, PolicyVersion: r.PolicyVersion,
		PrivacyPolicy: rules.PrivacyPolicyURL, AgentPolicy: rules.AgentPolicyURL, Contact: rules.Contact, Outcome: r.Outcome.String()})}
	if r.Outcome == policy.Ongoing {
		return out
	}
	c := r.Receipt
	return append(out, attach("audio receipt", r.Ended, receipt{Counted: r.Counted, Frames: c.Born, Forgotten: c.Forgotten, Held: c.Held,
		LongestMS: float64(c.Longest.Microseconds()) / 1000}))
}
