package media_test

import (
	"errors"
	"math/rand/v2"
	"testing"

	"lethe/media"
)

func TestArenaWipesWhatComesBack(t *testing.T) {
	a, err := media.NewArena(1 << 16)
	if err != nil {
		t.Fatal(err)
	}
	b, free, err := a.Bytes(100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = 0xA5
	}
	if err := a.Close(); err == nil {
		t.Fatal("closed while in use")
	}
	free()
	c, free, err := a.Bytes(100)
	if err != nil {
		t.Fatal(err)
	}
	if &b[0] != &c[0] {
		t.Fatal("the test wants the same place again")
	}
	for _, x := range c {
		if x != 0 {
			t.Fatal("given back, not wiped")
		}
	}
	free()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestArenaFullAndWholeAgain(t *testing.T) {
	a, err := media.NewArena(1 << 16)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	var frees []func()
	for range 10_000 {
		if len(frees) > 0 && rng.IntN(2) == 0 {
			i := rng.IntN(len(frees))
			frees[i]()
			frees = append(frees[:i], frees[i+1:]...)
			continue
		}
		_, free, err := a.Bytes(1 + rng.IntN(5000))
		if errors.Is(err, media.ErrArenaFull) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		frees = append(frees, free)
	}
	for _, free := range frees {
		free()
	}
	if _, free, err := a.Bytes(1 << 16); err != nil {
		t.Fatalf("in pieces after use: %v", err)
	} else {
		free()
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}
