package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/crypto/chacha20poly1305"

	"lethe/policy"
)

// key seals what one conversation's parties said.
type key [chacha20poly1305.KeySize]byte

func makeKey() (*key, error) {
	var k key
	if _, err := rand.Read(k[:]); err != nil {
		return nil, fmt.Errorf("store: no random numbers for a key: %w", err)
	}
	return &k, nil
}

func (k *key) wipe() { clear(k[:]) }

// Places of a sealed value: the associated data, so that no value opens in the
// place of another.
func turnPlace(id policy.ConversationID, seq int) string {
	return "lethe/1/turn/" + string(id) + "/" + strconv.Itoa(seq)
}

func callerPlace(id policy.ConversationID) string { return "lethe/1/caller/" + string(id) }

// seal is XChaCha20-Poly1305: a random nonce of 24 bytes, then the ciphertext.
func (k *key) seal(place, text string) ([]byte, error) {
	a, err := chacha20poly1305.NewX(k[:])
	if err != nil {
		return nil, err
	}
	out := make([]byte, a.NonceSize(), a.NonceSize()+len(text)+a.Overhead())
	if _, err := rand.Read(out); err != nil {
		return nil, err
	}
	return a.Seal(out, out, []byte(text), []byte(place)), nil
}

var errSeal = errors.New("the text does not open with the key that is kept for it: it was changed, or the key store is of another time")

func (k *key) open(place string, sealed []byte) (string, error) {
	a, err := chacha20poly1305.NewX(k[:])
	if err != nil {
		return "", err
	}
	if len(sealed) < a.NonceSize() {
		return "", errSeal
	}
	b, err := a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], []byte(place))
	if err != nil {
		return "", errSeal
	}
	return string(b), nil
}
