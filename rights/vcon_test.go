package rights_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"lethe/policy"
	"lethe/policy/policytest"
	"lethe/rights"
)

// schemas are ours, which is stricter than the draft's in what lethe writes,
// and the draft's own (testdata/README.md).
func schemas(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	files := []string{"testdata/vcon.schema.json", "testdata/published/vcon_json_schema.json"}
	out := map[string]*jsonschema.Schema{}
	for _, f := range files {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		s, err := c.Compile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = s
	}
	return out
}

func validate(t *testing.T, doc []byte) (errs []error) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range schemas(t) {
		if err := s.Validate(v); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func record(from string, turns ...policy.Party) policy.Record {
	id := policy.NewConversationID()
	began := time.Date(2026, 11, 23, 20, 0, 0, 1e6, time.UTC)
	r := policy.Record{Conversation: id, To: "support", Trunk: "main", From: policy.Said(from), Profile: policy.ProfileDefault, PolicyVersion: "1-x",
		Started: began, Ended: began.Add(time.Minute), Expires: began.AddDate(0, 6, 0), Outcome: policy.CompletedByCaller,
		Receipt: policy.Receipt{Conversation: id, Born: 100, Forgotten: 100, Longest: 41500 * time.Microsecond}, Counted: true}
	for i, p := range turns {
		r.Turns = append(r.Turns, policy.Turn{Conversation: id, Seq: i + 1, Party: p, Words: policy.Said("say <b> & \"ü\" \x00\xff\u2028"), Confidence: 0.5,
			Start: time.Duration(i) * time.Second, End: time.Duration(i+1) * time.Second, Interrupted: i == 1})
	}
	return r
}

func access(t *testing.T) policy.Access {
	t.Helper()
	o, _ := policytest.Office(t)
	a, err := o.Local(t.Context(), policy.PurposeRights)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestVConIsValid(t *testing.T) {
	ongoing, killed, cancelled := record("+442079460958", policy.Agent), record("anonymous", policy.Caller), record("")
	ongoing.Outcome, ongoing.Ended, ongoing.Counted, ongoing.Receipt = policy.Ongoing, time.Time{}, false, policy.Receipt{}
	killed.Outcome, killed.Counted = policy.Interrupted, false
	cancelled.Outcome = policy.Cancelled
	for name, r := range map[string]policy.Record{
		"whole":     record("sip:jay@example.org", policy.Agent, policy.Caller, policy.System),
		"a person":  record("+442079460958", policy.Agent, policy.Person),
		"ongoing":   ongoing,
		"killed":    killed,
		"cancelled": cancelled,
		"tel":       record("tel:+442079460958", policy.Caller),
		"extension": record("1001", policy.Caller),
		"odd":       record("+", policy.Caller),
	} {
		doc, err := rights.VCon(access(t), r, policytest.Rules(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range validate(t, doc) {
			t.Errorf("%s: %v\n%s", name, err, doc)
		}
	}
}

// The control: what is wrong is refused, or the test above says nothing.
func TestSchemaRefuses(t *testing.T) {
	doc, err := rights.VCon(access(t), record("+442079460958", policy.Agent), policytest.Rules(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		`"0.4.0"`: `"0.3.0"`, `"type": "text"`: `"type": "recording"`, `"start": "2026`: `"start": "soon 2026`, `"originator": 1`: `"originator": -1`,
		`"tel": "tel:+`: `"tel": "+`, `"counted": true`: `"counted": 1`,
	} {
		bad := strings.Replace(string(doc), from, to, 1)
		if bad == string(doc) || len(validate(t, []byte(bad))) == 0 {
			t.Errorf("%s for %s passes", to, from)
		}
	}
}

func TestVConSaysAll(t *testing.T) {
	r := record("+442079460958", policy.Agent, policy.Caller, policy.Person)
	doc, err := rights.VCon(access(t), r, policytest.Rules(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		UUID    string
		Parties []struct{ Type, Tel, Org string }
		Dialog  []struct {
			Body       string
			Originator int
			Start      string
			Duration   float64
		}
		Analysis []struct {
			Body []struct{ Confidence float64 }
		}
		Attachments []struct {
			Purpose string
			Body    map[string]any
		}
	}
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatal(err)
	}
	if v.UUID != string(r.Conversation) || len(v.Parties) != 4 || v.Parties[0].Tel != "tel:+442079460958" || v.Parties[2].Org != "Example Telecom" {
		t.Errorf("%+v", v.Parties)
	}
	if len(v.Dialog) != 3 || v.Dialog[0].Originator != 1 || v.Dialog[1].Originator != 0 || v.Dialog[2].Originator != 3 ||
		v.Dialog[1].Start != "2026-11-23T20:00:01.001Z" || v.Dialog[1].Duration != 1 || !strings.HasPrefix(v.Dialog[0].Body, "say <b> & \"ü\"") {
		t.Errorf("%+v", v.Dialog)
	}
	if len(v.Analysis) != 1 || len(v.Analysis[0].Body) != 3 || len(v.Attachments) != 2 {
		t.Fatalf("%s", doc)
	}
	if c := v.Attachments[1]; c.Purpose != "audio receipt" || c.Body["frames"] != 100.0 || c.Body["forgotten"] != 100.0 || c.Body["longest_ms"] != 41.5 || c.Body["counted"] != true {
		t.Errorf("%+v", c)
	}
	if c := v.Attachments[0]; c.Body["expires"] != "2027-05-23T20:00:00.001Z" || c.Body["privacy_policy_url"] != policytest.Rules().PrivacyPolicyURL {
		t.Errorf("%+v", c)
	}
}

func TestVConNeedsAccess(t *testing.T) {
	if doc, err := rights.VCon(policy.Access{}, record("x", policy.Caller), policytest.Rules(), time.Now()); !errors.Is(err, policy.ErrNotGranted) || doc != nil {
		t.Errorf("%s %v", doc, err)
	}
	if _, err := rights.VCon(access(t), record("x"), policytest.Rules(), time.Now().Add(time.Hour)); !errors.Is(err, policy.ErrNotGranted) {
		t.Errorf("an access that has ended: %v", err)
	}
	if _, err := rights.VCon(access(t), policy.Record{}, policytest.Rules(), time.Now()); err == nil {
		t.Error("a conversation without an id")
	}
}
