package policy

import (
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

func TestRulesRefuse(t *testing.T) {
	if err := testRules().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*Rules)
		want   string
	}{
		"no organisation":     {func(r *Rules) { r.Organisation = " " }, "policy.organisation: missing; set"},
		"a long organisation": {func(r *Rules) { r.Organisation = strings.Repeat("x", 101) }, "policy.organisation: longer"},
		"two lines":           {func(r *Rules) { r.Organisation = "a\nb" }, "policy.organisation: holds a control"},
		"no privacy policy":   {func(r *Rules) { r.PrivacyPolicyURL = "" }, "policy.privacy_policy_url: missing; set"},
		"no agent policy":     {func(r *Rules) { r.AgentPolicyURL = "" }, "policy.agent_policy_url: missing; set"},
		"in the clear":        {func(r *Rules) { r.AgentPolicyURL = "http://example.org" }, "policy.agent_policy_url: not an https"},
		"no host":             {func(r *Rules) { r.PrivacyPolicyURL = "https:///x" }, "policy.privacy_policy_url: not an https"},
		"a password in a URL": {func(r *Rules) { r.PrivacyPolicyURL = "https://a:b@example.org" }, "policy.privacy_policy_url: not an https"},
		"a bad contact":       {func(r *Rules) { r.Contact = "the porter" }, "policy.contact: neither"},
		"too short":           {func(r *Rules) { r.Keep = 5 }, "policy.keep: 5mo is shorter than 6mo; choose"},
		"too long":            {func(r *Rules) { r.Keep = 13 }, "policy.keep: 13mo is longer than 12mo; choose"},
		"no keep":             {func(r *Rules) { r.Keep = 0 }, "policy.keep: 0mo is shorter"},
	} {
		r := testRules()
		c.change(&r)
		err := r.Validate()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if _, err := New(&journal{}, r, time.Now); err == nil {
			t.Errorf("%s: an office opened", name)
		}
	}
	err := Default().Validate()
	for _, key := range []string{"policy.organisation", "policy.privacy_policy_url", "policy.agent_policy_url"} {
		if err == nil || !strings.Contains(err.Error(), key+": missing") {
			t.Errorf("the default does not name %s: %v", key, err)
		}
	}
}

func TestProcessorsRefused(t *testing.T) {
	for name, e := range map[string][]ProcessorEntry{
		"no name":      {{Local: true}},
		"twice":        {{Name: "x", Local: true}, {Name: "x", Local: true}},
		"no agreement": {{Name: "x"}},
	} {
		if _, err := New(&journal{}, testRules(), time.Now, e...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(nil, testRules(), time.Now); err == nil {
		t.Error("no journal: accepted")
	}
	if _, err := New(&journal{}, testRules(), nil); err == nil {
		t.Error("no clock: accepted")
	}
}

func TestPeriodText(t *testing.T) {
	for in, want := range map[string]Period{"6mo": 6, "12mo": 12, "1y": 12, "0mo": 0, "100y": 1200} {
		var r Rules
		if err := yaml.Unmarshal([]byte("keep: "+in), &r); err != nil || r.Keep != want {
			t.Errorf("%s: %v %v", in, r.Keep, err)
		}
	}
	for _, in := range []string{"", "6", "6m", "mo", "-6mo", "+6mo", "6 mo", "6.5mo", "180d", "99999999999999999999mo", "1201mo", "y"} {
		var p Period
		if err := p.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q is %v", in, p)
		}
	}
	out, err := yaml.Marshal(testRules())
	if err != nil || !strings.Contains(string(out), "keep: 6mo") {
		t.Errorf("%s %v", out, err)
	}
}

func TestPeriodAfter(t *testing.T) {
	for _, c := range []struct {
		p        Period
		from, to string
	}{
		{6, "2026-11-23T20:00:00Z", "2027-05-23T20:00:00Z"},
		{6, "2026-08-31T23:59:59Z", "2027-02-28T23:59:59Z"},
		{6, "2027-08-31T00:00:00Z", "2028-02-29T00:00:00Z"},
		{12, "2028-02-29T12:00:00Z", "2029-02-28T12:00:00Z"},
		{6, "2026-12-31T00:00:00+01:00", "2027-06-30T23:00:00Z"},
		{0, "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"},
	} {
		if got := c.p.After(at(c.from)); !got.Equal(at(c.to)) || got.Location() != time.UTC {
			t.Errorf("%v after %s: %v, want %s", c.p, c.from, got, c.to)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		from := time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "from"), 0).UTC()
		p := Period(rapid.IntRange(1, 24).Draw(t, "months"))
		to := p.After(from)
		months := (to.Year()-from.Year())*12 + int(to.Month()) - int(from.Month())
		if months != int(p) || to.Day() > from.Day() || to.Day() < from.Day() && to.AddDate(0, 0, 1).Day() != 1 || to.Hour() != from.Hour() {
			t.Fatalf("%v after %v is %v", p, from, to)
		}
	})
}

func TestVersionFollowsTheRules(t *testing.T) {
	r := testRules()
	v := r.Version()
	if v != testRules().Version() || !strings.HasPrefix(v, document+"-") {
		t.Fatal(v)
	}
	for i, change := range []func(*Rules){
		func(r *Rules) { r.Organisation += "x" }, func(r *Rules) { r.PrivacyPolicyURL += "x" }, func(r *Rules) { r.AgentPolicyURL += "x" },
		func(r *Rules) { r.Contact += "x" }, func(r *Rules) { r.Keep++ },
	} {
		r := testRules()
		change(&r)
		if r.Version() == v {
			t.Errorf("change %d leaves the version", i)
		}
	}
}

func TestTraceExhibits(t *testing.T) {
	now := time.Now()
	one, two := Trace{&trace{key: [32]byte{1}}}, Trace{&trace{key: [32]byte{2}}}
	raw := []byte("INVITE sip:jay@h SIP/2.0\r\nFrom: <sip:jay@h>\r\n\r\n")
	e, err := one.Exhibit(raw, now)
	if err != nil || e.Valid() != nil {
		t.Fatal(err)
	}
	again, err := one.Exhibit(raw, now)
	if err != nil || string(again.Bytes()) != string(e.Bytes()) {
		t.Error("a user has two tokens in one trace")
	}
	other, err := two.Exhibit(raw, now)
	if err != nil || string(other.Bytes()) == string(e.Bytes()) || strings.Contains(string(e.Bytes()), "jay") {
		t.Errorf("%s%s", e.Bytes(), other.Bytes())
	}
	one.t.revoke()
	if _, err := one.Exhibit(raw, now); err == nil {
		t.Error("an exhibit of a closed trace")
	}
}
