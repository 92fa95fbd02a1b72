package cache

import (
	"errors"
	"fmt"
)

// PackWriter stores many small objects together. It is safe for concurrent use,
// but for Close.
type PackWriter struct{ k *packer }

// packWriterBytes is up to how many bytes the packs of a PackWriter are filled:
// what was brought from afar should be safe soon.
const packWriterBytes = PackBytes / 4

// PackWriter returns what stores some n files' objects of h together, or nil
// where they are to be stored each by itself.
func (s *Store) PackWriter(h *Hash, n int) (*PackWriter, error) {
	if !s.packing(h, n) {
		return nil, nil
	}
	k, err := s.packer(n)
	if err != nil {
		return nil, err
	}
	k.limit = packWriterBytes
	return &PackWriter{k}, nil
}

// Put stores data, which is smaller than PackedLimit, under the digest d, of a
// file: the error wraps ErrChanged, and nothing is stored, when the content is
// another. The object is in the store when Close has returned.
func (w *PackWriter) Put(d Digest, data []byte) error {
	if !packable(d) || len(data) >= PackedLimit {
		return errors.New("put object: it cannot be in a pack")
	}
	if got := digestOf(d.Hash(), data, false); got != d {
		return fmt.Errorf("put object %s: content has digest %s: %w", d, got, ErrChanged)
	}
	if err := w.k.put(d, data); err != nil {
		return fmt.Errorf("put object %s: %w", d, err)
	}
	return nil
}

// Close makes what was put a part of the store, also after an error of Put.
func (w *PackWriter) Close() error { return w.k.finish() }
