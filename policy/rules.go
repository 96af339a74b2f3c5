package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Rules is the section `policy` of the configuration.
type Rules struct {
	// Organisation is the name that callers hear: who answers for the machine.
	Organisation string `yaml:"organisation"`
	// PrivacyPolicyURL is the organisation's general privacy policy.
	PrivacyPolicyURL string `yaml:"privacy_policy_url"`
	// AgentPolicyURL is the policy of the AI agent, which supplements it.
	AgentPolicyURL string `yaml:"agent_policy_url"`
	// Contact is where rights are exercised: an e-mail address or an https URL.
	Contact string `yaml:"contact"`
	// Keep is how long text is kept from the beginning of its conversation:
	// 6mo to 12mo.
	Keep Period `yaml:"keep"`
}

// Bounds of Rules.Keep: the policy's "6-12 months".
const (
	MinKeep Period = 6
	MaxKeep Period = 12
)

const maxOrganisation = 100

// Default is what holds where the configuration says nothing. It does not
// validate: an organisation and two URLs have no default.
func Default() Rules { return Rules{Keep: MinKeep} }

// Validate says of each key what is wrong and what to do.
func (r Rules) Validate() error {
	return errors.Join(
		r.validateOrganisation(),
		validateURL("policy.privacy_policy_url", r.PrivacyPolicyURL, "the general privacy policy"),
		validateURL("policy.agent_policy_url", r.AgentPolicyURL, "the privacy policy of the AI agent"),
		r.validateContact(),
		r.validateKeep(),
	)
}

func (r Rules) validateOrganisation() error {
	const key = "policy.organisation"
	switch {
	case strings.TrimSpace(r.Organisation) == "":
		return fmt.Errorf("%s: missing; set it to the name that callers are to hear", key)
	case len(r.Organisation) > maxOrganisation:
		return fmt.Errorf("%s: longer than %d bytes; set it to the name that callers are to hear", key, maxOrganisation)
	case strings.ContainsFunc(r.Organisation, unicode.IsControl):
		return fmt.Errorf("%s: holds a control character; write it on one line", key)
	}
	return nil
}

func validateURL(key, s, of string) error {
	if s == "" {
		return fmt.Errorf("%s: missing; set it to the https address of %s", key, of)
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return fmt.Errorf("%s: not an https address; set it to the https address of %s", key, of)
	}
	return nil
}

func (r Rules) validateContact() error {
	if r.Contact == "" {
		return nil
	}
	if a, err := mail.ParseAddress(r.Contact); err == nil && a.Name == "" {
		return nil
	}
	if validateURL("", r.Contact, "") == nil {
		return nil
	}
	return errors.New("policy.contact: neither an e-mail address nor an https address; set it to where callers can exercise their rights")
}

func (r Rules) validateKeep() error {
	switch {
	case r.Keep < MinKeep:
		return fmt.Errorf("policy.keep: %v is shorter than %v; choose from %v to %v", r.Keep, MinKeep, MinKeep, MaxKeep)
	case r.Keep > MaxKeep:
		return fmt.Errorf("policy.keep: %v is longer than %v; choose from %v to %v", r.Keep, MaxKeep, MinKeep, MaxKeep)
	}
	return nil
}

// document is the edition of the rules that this package enforces. It changes
// when a rule does.
const document = "1"

// Version names the rules in force: the edition of the policy and a
// fingerprint of its configuration. A conversation is stored with it.
func (r Rules) Version() string {
	h := sha256.New()
	for _, s := range []string{document, r.Organisation, r.PrivacyPolicyURL, r.AgentPolicyURL, r.Contact, r.Keep.String()} {
		h.Write([]byte(strconv.Itoa(len(s)) + ":" + s + ","))
	}
	return document + "-" + hex.EncodeToString(h.Sum(nil)[:4])
}

// Period is a number of calendar months, written "6mo" or "1y".
type Period int

// UnmarshalText reads "6mo" or "1y".
func (p *Period) UnmarshalText(b []byte) error {
	s, months := string(b), 1
	n, ok := strings.CutSuffix(s, "mo")
	if !ok {
		if n, ok = strings.CutSuffix(s, "y"); ok {
			months = 12
		}
	}
	v, err := strconv.Atoi(n)
	if !ok || err != nil || v < 0 || v > 1200 || n[0] == '+' || n[0] == '-' {
		return fmt.Errorf("%q is no period; write a number of months such as 6mo, or of years such as 1y", s)
	}
	*p = Period(v * months)
	return nil
}

// MarshalText writes "6mo".
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String is "6mo".
func (p Period) String() string { return strconv.Itoa(int(p)) + "mo" }

// After is the same day and time of the month that lies p months after t, in
// UTC; where that month is too short, its last day. Never later than the day
// the law would count.
func (p Period) After(t time.Time) time.Time {
	t = t.UTC()
	y, m, d := t.Date()
	last := time.Date(y, m+time.Month(p)+1, 0, 0, 0, 0, 0, time.UTC).Day()
	return time.Date(y, m+time.Month(p), min(d, last), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}
