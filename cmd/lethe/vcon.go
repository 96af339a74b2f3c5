package main

import (
	"encoding/json"
	"io"
	"regexp"
	"time"

	"lethe/policy"
)

// The shapes of a vCon 0.4.0, draft-ietf-vcon-vcon-core, as far as they are
// used: each turn is a dialog of type text. There is no recording, and none is
// referred to.
type (
	vCon struct {
		VCon        string           `json:"vcon"`
		UUID        string           `json:"uuid"`
		Created     string           `json:"created_at"`
		Updated     string           `json:"updated_at,omitempty"`
		Subject     string           `json:"subject"`
		Redacted    vConRedacted     `json:"redacted"`
		Parties     []vConParty      `json:"parties"`
		Dialog      []vConDialog     `json:"dialog"`
		Analysis    []any            `json:"analysis"`
		Attachments []vConAttachment `json:"attachments"`
	}
	vConRedacted struct {
		Type string `json:"type"`
	}
	vConParty struct {
		Type       string `json:"type"`
		Name       string `json:"name,omitempty"`
		Tel        string `json:"tel,omitempty"`
		Validation string `json:"validation,omitempty"`
	}
	vConDialog struct {
		Type        string  `json:"type"`
		Start       string  `json:"start"`
		Duration    float64 `json:"duration"`
		Parties     []int   `json:"parties"`
		Originator  int     `json:"originator"`
		MediaType   string  `json:"mediatype,omitempty"`
		Body        *string `json:"body,omitempty"`
		Encoding    string  `json:"encoding,omitempty"`
		Disposition string  `json:"disposition,omitempty"`
		Application string  `json:"application,omitempty"`
	}
	vConAttachment struct {
		Purpose   string `json:"purpose"`
		Start     string `json:"start"`
		Party     int    `json:"party"`
		Dialog    int    `json:"dialog"`
		MediaType string `json:"mediatype"`
		Encoding  string `json:"encoding"`
		Body      any    `json:"body"`
	}
)

// Parties of the vCon, by their place in its list.
const (
	vConCaller = iota
	vConAgent
	vConPerson
)

const vConTime = "2006-01-02T15:04:05.000Z07:00"

func printVCon(w io.Writer, r policy.Record, now time.Time) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(newVCon(r, now)) //nolint:wrapcheck // of the operator's terminal
}

func newVCon(r policy.Record, now time.Time) vCon {
	v := vCon{
		VCon: "0.4.0", UUID: string(r.Conversation), Created: now.UTC().Format(vConTime), Subject: "Conversation with " + r.To,
		Redacted: vConRedacted{Type: "personal data in text"},
		Parties: []vConParty{
			callerOf(r.From.Reveal()),
			{Type: "bot", Name: r.To},
		},
		Dialog: []vConDialog{}, Analysis: []any{}, Attachments: []vConAttachment{},
	}
	for _, t := range r.Turns {
		if t.Party == policy.Person && len(v.Parties) == vConPerson {
			v.Parties = append(v.Parties, vConParty{Type: "person", Name: "agent"})
		}
		v.Dialog = append(v.Dialog, dialogOf(r, t))
	}
	if len(v.Dialog) == 0 {
		v.Dialog = append(v.Dialog, vConDialog{Type: "incomplete", Start: r.Started.UTC().Format(vConTime), Parties: []int{vConCaller, vConAgent},
			Originator: vConCaller, Disposition: disposition(r.Outcome), Application: r.Channel.String()})
	}
	v.Attachments = append(v.Attachments, v.attach("retention", r.Started, map[string]any{
		"profile": r.Profile, "policy_version": r.PolicyVersion, "expires": r.Expires.UTC().Format(vConTime), "outcome": r.Outcome.String()}))
	if l := lineOf(r); l.Receipt != nil {
		v.Attachments = append(v.Attachments, v.attach("audio receipt", r.Ended, l.Receipt))
	}
	return v
}

// callerOf is the caller as signalling named it: a telephone number (RFC 3966)
// where it is one. Nobody has verified it.
func callerOf(from string) vConParty {
	p := vConParty{Type: "person", Validation: "none"}
	if regexp.MustCompile(`^\+?[0-9]{3,15}$`).MatchString(from) {
		p.Tel = "tel:" + from
	} else {
		p.Name = from
	}
	return p
}

func dialogOf(r policy.Record, t policy.Turn) vConDialog {
	text := t.Words.Reveal()
	return vConDialog{Type: "text", Start: r.Started.Add(t.Start).UTC().Format(vConTime), Duration: max(0, (t.End - t.Start).Seconds()),
		Parties: []int{vConCaller, vConAgent}, Originator: originator(t.Party), MediaType: "text/plain", Body: &text, Encoding: "none",
		Application: r.Channel.String()}
}

func originator(p policy.Party) int {
	switch p {
	case policy.Caller:
		return vConCaller
	case policy.Person:
		return vConPerson
	case policy.Agent, policy.System:
	}
	return vConAgent
}

func (v vCon) attach(purpose string, at time.Time, body any) vConAttachment {
	return vConAttachment{Purpose: purpose, Start: at.UTC().Format(vConTime), Party: vConAgent, Dialog: 0,
		MediaType: "application/json", Encoding: "json", Body: body}
}

// disposition is the vCon's word for why nothing was said.
func disposition(o policy.Outcome) string {
	switch o {
	case policy.CompletedByCaller, policy.Cancelled:
		return "hung-up"
	default:
		return "failed"
	}
}
