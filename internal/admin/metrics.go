package admin

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Audio is what media has counted since the start. Received, Lost, Late,
// Refused and Malformed are RTP packets; Born, Forgotten and Held are packets of
// caller audio. Lifetimes counts the forgotten ones by how long they lived: one
// for each of Bounds, then those that lived longer.
type Audio struct {
	Received, Lost, Late  uint64
	Refused, Malformed    uint64
	Born, Forgotten, Held uint64
	Overruns              uint64
	Bounds                []time.Duration
	Lifetimes             []uint64
	LifetimeSum           time.Duration
	ArenaBytes, ArenaUsed int
}

// Metrics are the server's. The zero value is not usable; make one with
// NewMetrics. All methods are safe for concurrent use.
type Metrics struct {
	registry  *prometheus.Registry
	calls     *prometheus.CounterVec
	responses *prometheus.CounterVec
	events    *prometheus.CounterVec
	malformed prometheus.Counter
	panics    prometheus.Counter
	jitter    prometheus.Histogram
	final     prometheus.Histogram
	reply     prometheus.Histogram
}

// NewMetrics makes a registry of its own. active and audio are asked at each
// scrape and must not block.
func NewMetrics(version string, active func() int, audio func() Audio) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lethe_calls_total",
			Help: "Calls that ended or were refused, by how."}, []string{"result"}),
		responses: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lethe_sip_responses_total",
			Help: "SIP responses sent, by status code (RFC 3261 section 21)."}, []string{"code"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lethe_conversation_events_total",
			Help: "What happened in conversations, by kind."}, []string{"kind"}),
		malformed: prometheus.NewCounter(prometheus.CounterOpts{Name: "lethe_sip_malformed_total", Help: "SIP messages that could not be parsed."}),
		panics:    prometheus.NewCounter(prometheus.CounterOpts{Name: "lethe_call_panics_total", Help: "Calls that a fault of lethe's ended."}),
		jitter: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lethe_rtp_jitter_seconds",
			Help:    "Interarrival jitter (RFC 3550 section 6.4.1) at the end of each call.",
			Buckets: []float64{.001, .002, .005, .01, .02, .03, .04, .06, .1, .2}}),
		final: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lethe_final_latency_seconds",
			Help: "End of the caller's speech to its final text.", Buckets: latencies()}),
		reply: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "lethe_reply_latency_seconds",
			Help: "End of the caller's speech to the first audio of the answer.", Buckets: latencies()}),
	}
	m.registry.MustRegister(m.calls, m.responses, m.events, m.malformed, m.panics, m.jitter, m.final, m.reply,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.pulled(active, audio)
	m.registry.MustRegister(&lifetimes{audio: audio, desc: prometheus.NewDesc("lethe_audio_lifetime_seconds",
		"Arrival of a packet of caller audio to the wiping of its last copy.", nil, nil)})
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "lethe_build_info", Help: "1, with the version."}, []string{"version"})
	info.WithLabelValues(version).Set(1)
	m.registry.MustRegister(info)
	return m
}

// pulled registers what is read at the time of a scrape.
func (m *Metrics) pulled(active func() int, audio func() Audio) {
	gauge := func(name, help string, f func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f))
	}
	counter := func(name, help string, f func(Audio) uint64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(f(audio())) }))
	}
	gauge("lethe_calls_active", "Calls that are up or being set up.", func() float64 { return float64(active()) })
	gauge("lethe_arena_bytes", "Size of the locked arena.", func() float64 { return float64(audio().ArenaBytes) })
	gauge("lethe_arena_used_bytes", "Bytes of the arena that are given out.", func() float64 { return float64(audio().ArenaUsed) })
	counter("lethe_rtp_received_total", "RTP packets accepted from callers.", func(a Audio) uint64 { return a.Received })
	counter("lethe_rtp_lost_total", "RTP packets that never came.", func(a Audio) uint64 { return a.Lost })
	counter("lethe_rtp_late_total", "RTP packets that came after their time.", func(a Audio) uint64 { return a.Late })
	counter("lethe_rtp_refused_total", "RTP packets from elsewhere than the caller.", func(a Audio) uint64 { return a.Refused })
	counter("lethe_rtp_malformed_total", "Datagrams on RTP ports that were no RTP.", func(a Audio) uint64 { return a.Malformed })
	counter("lethe_clock_overruns_total", "Wake-ups of the media clock that came too late.", func(a Audio) uint64 { return a.Overruns })
	counter("lethe_frames_born_total", "Packets of caller audio accepted.", func(a Audio) uint64 { return a.Born })
	counter("lethe_frames_forgotten_total", "Packets of caller audio whose last copy was wiped.", func(a Audio) uint64 { return a.Forgotten })
	counter("lethe_frames_held_total", "Packets of caller audio kept under a hold.", func(a Audio) uint64 { return a.Held })
}

// latencies are the buckets around the goals of 0.7 s and 1.2 s.
func latencies() []float64 {
	return []float64{.1, .2, .3, .4, .5, .6, .7, .8, 1, 1.2, 1.5, 2, 3, 5, 10}
}

// Ended counts a call. result is one of a fixed set of names, never free text.
func (m *Metrics) Ended(result string) { m.calls.WithLabelValues(result).Inc() }

// Response counts a SIP response; what is no status code counts as 0.
func (m *Metrics) Response(code int) {
	if code < 100 || code > 699 {
		code = 0
	}
	m.responses.WithLabelValues(strconv.Itoa(code)).Inc()
}

// Event counts something that happened in a conversation. kind is one of a
// fixed set of names.
func (m *Metrics) Event(kind string) { m.events.WithLabelValues(kind).Inc() }

// Malformed counts a SIP message that could not be parsed.
func (m *Metrics) Malformed() { m.malformed.Inc() }

// Panicked counts a call that a fault of ours ended.
func (m *Metrics) Panicked() { m.panics.Inc() }

// Jitter is that of one call's caller.
func (m *Metrics) Jitter(d time.Duration) { m.jitter.Observe(d.Seconds()) }

// Final is one latency from the end of speech to its text.
func (m *Metrics) Final(d time.Duration) { m.final.Observe(d.Seconds()) }

// Reply is one latency from the end of speech to the answer's first audio.
func (m *Metrics) Reply(d time.Duration) { m.reply.Observe(d.Seconds()) }

// lifetimes shows media's own histogram: it is counted on the clock thread,
// where nothing may allocate.
type lifetimes struct {
	audio func() Audio
	desc  *prometheus.Desc
}

// Describe is prometheus'.
func (l *lifetimes) Describe(out chan<- *prometheus.Desc) { out <- l.desc }

// Collect is prometheus'.
func (l *lifetimes) Collect(out chan<- prometheus.Metric) {
	a := l.audio()
	count, buckets := uint64(0), make(map[float64]uint64, len(a.Bounds))
	for i, n := range a.Lifetimes {
		count += n
		if i < len(a.Bounds) {
			buckets[a.Bounds[i].Seconds()] = count
		}
	}
	m, err := prometheus.NewConstHistogram(l.desc, count, a.LifetimeSum.Seconds(), buckets)
	if err != nil {
		m = prometheus.NewInvalidMetric(l.desc, err)
	}
	out <- m
}
