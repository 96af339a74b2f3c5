package flite

import (
	"context"
	"errors"
	"sync"

	"lethe/media"
)

// errNoRoom says that the memory for prompts is used up.
var errNoRoom = errors.New("flite: no room for another prompt")

// prompts are sentences whose audio is kept, in an arena of their own: calls
// do not compete with them for theirs. What was kept does not change until
// close, which waits for those who speak.
type prompts struct {
	mu    sync.RWMutex
	arena *media.Arena
	mem   []byte
	free  func()
	used  int
	rate  int // of what is being collected
	by    map[string]prompt
	shut  bool

	speakers sync.WaitGroup
}

type prompt struct {
	pcm  []int16
	rate int
}

func (p *prompts) open(size int) (err error) {
	p.by = map[string]prompt{}
	if size == 0 {
		return nil
	}
	if p.arena, err = media.NewArena(size); err != nil {
		return err
	}
	p.mem, p.free, err = p.arena.Bytes(size)
	return err
}

// close wipes what was kept.
func (p *prompts) close() error {
	p.mu.Lock()
	done := p.arena == nil || p.shut
	p.shut = true
	clear(p.by)
	p.mu.Unlock()
	if done {
		return nil
	}
	p.speakers.Wait()
	if p.free != nil {
		p.free()
	}
	return p.arena.Close()
}

// speak gives a sentence that is kept to out, or says that it is not.
func (p *prompts) speak(ctx context.Context, sentence string, out sink) (known bool, err error) {
	p.mu.RLock()
	k, known := p.by[sentence]
	if known {
		p.speakers.Add(1)
	}
	p.mu.RUnlock()
	if !known {
		return false, nil
	}
	defer p.speakers.Done()
	return true, out(ctx, k.pcm, k.rate)
}

// begin gives the place where a new sentence is collected and the sink that
// does it; no sink for one that is kept already, or if none can be.
func (p *prompts) begin(sentence string) (collect sink, at int) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if _, known := p.by[sentence]; known || p.mem == nil || p.shut {
		return nil, 0
	}
	return p.collect, p.used
}

func (p *prompts) collect(_ context.Context, samples []int16, rate int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 2 * len(samples)
	if p.shut || len(p.mem)-p.used < n {
		return errNoRoom
	}
	copy(pcm(p.mem[p.used:p.used+n]), samples)
	p.used += n
	p.rate = rate
	return nil
}

// drop gives up what was collected since at.
func (p *prompts) drop(at int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.shut {
		clear(p.mem[at:p.used])
		p.used = at
	}
}

// keep makes what was collected since at known as a sentence.
func (p *prompts) keep(sentence string, at int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.shut && p.used > at {
		p.by[sentence] = prompt{pcm(p.mem[at:p.used:p.used]), p.rate}
	}
}
