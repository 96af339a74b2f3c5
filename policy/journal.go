package policy

import (
	"context"
	"fmt"
	"time"
)

// Journal makes an audit entry durable before a grant exists. store implements
// it. Append is safe for concurrent use, and its error means that nothing was
// written and that the grant must not be given.
type Journal interface {
	Append(context.Context, Entry) (Place, error)
}

// Entry is one audit entry; it names ids, never what was said and never a number.
type Entry struct {
	At           time.Time
	Actor        string
	Action       string
	Conversation ConversationID
	Reason       string
	Ticket       string
}

// Place is where an entry stands in the journal's chain.
type Place struct {
	Seq  uint64
	Hash [32]byte
}

// Actions of the journal.
const (
	ActionListen      = "listen"      // frames may reach an engine; Reason is its name
	ActionAccess      = "access"      // a person may read; Reason is the purpose
	ActionWithdraw    = "withdraw"    // a processor is no longer in force; Reason is its name
	ActionRead        = "read"        // one conversation was read; Reason is the purpose
	ActionList        = "list"        // conversations were listed; Reason is the purpose
	ActionAudit       = "audit"       // the journal itself was read; Reason is the purpose
	ActionInterrupted = "interrupted" // a conversation was found unsettled at start-up
)

// Actors of the journal that are no person.
const (
	ActorLethe = "lethe" // the server by itself
	ActorLocal = "local" // whoever has the machine's own shell
)

// journalWait bounds how long a grant waits for its entry: a journal that does
// not answer is one that refuses.
const journalWait = 10 * time.Second

func (o *Office) enter(ctx context.Context, e Entry) error {
	ctx, cancel := context.WithTimeout(ctx, journalWait)
	defer cancel()
	if _, err := o.journal.Append(ctx, e); err != nil {
		return fmt.Errorf("policy: %s was not entered in the journal, so it is not granted: %w", e.Action, err)
	}
	return nil
}
