package sip

import (
	"net/netip"
	"strconv"
	"strings"

	stack "github.com/emiago/sipgo/sip"
)

// product is what User-Agent and Server say: no version.
const product = "lethe"

// allowed are our methods (RFC 3261 section 20.5).
const allowed = "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY"

// incoming is a request with its transaction. Whoever has it answers it.
type incoming struct {
	t      *transport
	req    *stack.Request
	tx     *stack.ServerTx
	source netip.Addr
	trunk  *trunk // nil: of no trunk
}

// receive is where sipgo gives us a request, on a goroutine of its own that
// ends with it. Nothing here waits: a call has its own goroutine.
func (t *transport) receive(req *stack.Request, tx *stack.ServerTx) {
	u := t.ua
	if !u.enter() {
		tx.Terminate()
		return
	}
	defer u.handlers.Done()
	in := &incoming{t: t, req: req, tx: tx}
	defer func() {
		if recover() != nil {
			u.panicked()
			in.refuse(stack.StatusInternalServerError)
		}
	}()
	if ap, err := netip.ParseAddrPort(req.Source()); err == nil {
		in.source = ap.Addr().Unmap()
		in.trunk = trunkOf(u.trunks, in.source)
	}
	if code := fault(req); code != 0 {
		in.refuse(code)
		return
	}
	if req.To().Params.Has("tag") {
		u.inDialog(in)
		return
	}
	u.outOfDialog(in)
}

// inDialog gives a request to its call. Only the trunk that began the call may
// go on with it.
func (u *UA) inDialog(in *incoming) {
	key := dialogKey{string(*in.req.CallID()), in.req.To().Params.GetOr("tag", ""), in.req.From().Params.GetOr("tag", "")}
	c := u.dialog(key)
	switch {
	case c == nil || (c.trunk != nil && c.trunk != in.trunk):
		in.refuse(stack.StatusCallTransactionDoesNotExists)
	case in.req.IsAck():
		c.post(in)
		in.tx.Terminate()
	case !c.post(in):
		in.refuse(stack.StatusServiceUnavailable, retryAfter(1))
	}
}

// outOfDialog answers a request of no dialog.
func (u *UA) outOfDialog(in *incoming) {
	if in.trunk == nil && !in.req.IsAck() {
		if in.req.IsInvite() {
			u.ended(ResultRefused)
		}
		in.refuse(stack.StatusForbidden)
		return
	}
	switch in.req.Method {
	case stack.INVITE:
		u.invited(in)
	case stack.ACK:
		in.tx.Terminate() // of a refusal on TCP, or of nothing
	case stack.CANCEL, stack.BYE, stack.NOTIFY:
		in.refuse(stack.StatusCallTransactionDoesNotExists)
	case stack.OPTIONS:
		u.options(in)
	default:
		in.refuse(stack.StatusMethodNotAllowed)
	}
}

// options answers what a carrier asks to see whether we live (RFC 3261 section
// 11). It does not say which numbers exist.
func (u *UA) options(in *incoming) {
	if err := u.ready(); err != nil {
		in.refuse(stack.StatusServiceUnavailable, retryAfter(retryFull))
		return
	}
	in.reply(in.capabilities())
}

// capabilities is a 200 to OPTIONS.
func (in *incoming) capabilities() *stack.Response {
	return in.response(stack.StatusOK,
		stack.NewHeader("Allow", allowed),
		stack.NewHeader("Accept", sdpType),
		stack.NewHeader("Accept-Encoding", "identity"),
		stack.NewHeader("Accept-Language", "en"),
		stack.NewHeader("Supported", ""))
}

// fault is the code of what makes a request unsound, 0 if it is sound (RFC
// 3261 section 8.2). An ACK is never answered, so it is only dropped.
func fault(req *stack.Request) int {
	switch {
	case req.SipVersion != "SIP/2.0":
		return stack.StatusVersionNotSupported
	case malformed(req):
		return stack.StatusBadRequest
	case req.Recipient.Scheme != "sip" && req.Recipient.Scheme != "sips" && req.Recipient.Scheme != "tel":
		return stack.StatusRequestedRangeNotSatisfiable // 416 Unsupported URI Scheme
	case req.IsAck() || req.IsCancel():
		return 0 // section 8.2.2.3: Require is not looked at
	case len(required(req)) > 0:
		return stack.StatusBadExtension
	}
	return 0
}

func malformed(req *stack.Request) bool {
	for _, name := range []string{"from", "to", "call-id", "cseq"} {
		if len(req.GetHeaders(name)) != 1 {
			return true
		}
	}
	for _, name := range []string{"max-forwards", "content-type", "content-length"} {
		if len(req.GetHeaders(name)) > 1 {
			return true
		}
	}
	from, to, id, seq := req.From(), req.To(), req.CallID(), req.CSeq()
	if from == nil || to == nil || id == nil || seq == nil || seq.MethodName != req.Method {
		return true
	}
	tag := from.Params.GetOr("tag", "")
	if tag == "" && !req.IsCancel() {
		return true
	}
	return max(len(*id), len(tag), len(to.Params.GetOr("tag", ""))) > longestID ||
		max(len(req.Recipient.String()), len(from.Value()), len(to.Value())) > longestURI ||
		uncleanLines(req) || unsoundDialog(req)
}

// uncleanLines says whether a line has a character that no line may have. The
// parser ends lines at CR LF alone, so a lone LF would pass into what we send.
func uncleanLines(req *stack.Request) bool {
	if strings.ContainsFunc(req.Recipient.String(), control) {
		return true
	}
	for _, h := range req.Headers() {
		if strings.ContainsFunc(h.Name(), control) || strings.ContainsFunc(h.Value(), control) {
			return true
		}
	}
	return false
}

// unsoundDialog looks at what a dialog would keep of an INVITE.
func unsoundDialog(req *stack.Request) bool {
	contacts, routes := req.GetHeaders("contact"), req.GetHeaders("record-route")
	if len(routes) > longestRoute {
		return true
	}
	for _, h := range routes {
		if r, ok := h.(*stack.RecordRouteHeader); !ok || unsoundURI(&r.Address) {
			return true
		}
	}
	if !req.IsInvite() {
		return false
	}
	c := req.Contact()
	return len(contacts) != 1 || c == nil || unsoundURI(&c.Address)
}

// control is a character that ends a line, or that no line may have.
func control(r rune) bool { return (r < ' ' && r != '\t') || r == 0x7f }

// required are the extensions that a request requires: we have none.
func required(req *stack.Request) []string {
	var tags []string
	for _, h := range req.GetHeaders("require") {
		for tag := range strings.SplitSeq(h.Value(), ",") {
			if tag = strings.TrimSpace(tag); tag != "" && !strings.ContainsFunc(tag, control) {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

// refuse answers with a final code other than 2xx. A stranger gets it without
// a transaction, so that nothing of it is kept.
func (in *incoming) refuse(code int, headers ...stack.Header) {
	if in.req.IsAck() {
		in.tx.Terminate()
		return
	}
	switch code {
	case stack.StatusMethodNotAllowed:
		headers = append(headers, stack.NewHeader("Allow", allowed))
	case stack.StatusUnsupportedMediaType:
		headers = append(headers, stack.NewHeader("Accept", sdpType), stack.NewHeader("Accept-Encoding", "identity"))
	case stack.StatusBadExtension:
		headers = append(headers, stack.NewHeader("Unsupported", strings.Join(required(in.req), ", ")))
	}
	in.reply(in.response(code, headers...))
	if in.trunk == nil {
		in.tx.Terminate()
	}
}

// response is a response to the request in our words.
func (in *incoming) response(code int, headers ...stack.Header) *stack.Response {
	res := stack.NewResponseFromRequest(in.req, code, reason(code), nil)
	res.SipVersion = "SIP/2.0"
	for _, h := range headers {
		res.AppendHeader(h)
	}
	res.AppendHeader(stack.NewHeader("Server", product))
	return res
}

// respond sends, and counts what went out.
func (in *incoming) respond(res *stack.Response) error {
	err := in.tx.Respond(res)
	if err == nil {
		in.t.ua.responded(res.StatusCode)
	}
	return err
}

// reply sends what need not arrive: the far end asks again, or has gone.
func (in *incoming) reply(res *stack.Response) {
	if err := in.respond(res); err != nil {
		in.t.ua.log.Debug("sip: a response could not be sent", "transport", in.t.proto, "code", res.StatusCode)
	}
}

func retryAfter(seconds int) stack.Header {
	return stack.NewHeader("Retry-After", strconv.Itoa(seconds))
}

// reason is the reason phrase of a code (RFC 3261 section 21).
func reason(code int) string {
	phrases := map[int]string{
		100: "Trying", 200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
		405: "Method Not Allowed", 415: "Unsupported Media Type", 416: "Unsupported URI Scheme",
		420: "Bad Extension", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
		482: "Loop Detected", 487: "Request Terminated", 488: "Not Acceptable Here", 491: "Request Pending",
		500: "Server Internal Error", 503: "Service Unavailable", 505: "Version Not Supported",
	}
	if p, ok := phrases[code]; ok {
		return p
	}
	return "Refused"
}

// ready says why nothing new can be taken.
func (u *UA) ready() error {
	u.mu.Lock()
	draining := u.draining
	u.mu.Unlock()
	if draining {
		return ErrClosed
	}
	if u.deps.Ready == nil {
		return nil
	}
	return u.deps.Ready()
}

// strayResponse acknowledges a repeated 2xx of a call that we placed.
func (u *UA) strayResponse(t *transport, res *stack.Response) {
	seq, id, from, to := res.CSeq(), res.CallID(), res.From(), res.To()
	if !res.IsSuccess() || seq == nil || seq.MethodName != stack.INVITE || id == nil || from == nil || to == nil || !u.enter() {
		return
	}
	defer u.handlers.Done()
	key := dialogKey{string(*id), from.Params.GetOr("tag", ""), to.Params.GetOr("tag", "")}
	if c := u.dialog(key); c != nil && c.d.t == t {
		c.postAck(seq.SeqNo)
	}
}
