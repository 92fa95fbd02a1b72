package lock

import (
	"bytes"
	"fmt"

	"github.com/flowrepro/flow/internal/yaml12"
)

// Recast returns the text of a file whose entries were given digests of another
// algorithm. Where Encode would put the keys of the new algorithm behind the
// others, they stand here in place of the old ones: a file in the layout that
// this package writes is written anew, and in any other one the words are
// replaced, so that comments, order and quoting stay.
func (f *DataFile) Recast() ([]byte, error) {
	now := f.fields()
	if f.was == nil || bytes.Equal(yaml12.Emit(f.was.fields()), f.source) {
		return yaml12.Emit(now), nil
	}
	if !sameEntries(f.was.Deps, f.Deps) || !sameEntries(f.was.Outs, f.Outs) {
		return f.Encode()
	}
	text := bytes.Clone(f.source)
	for _, list := range [][2][]DataEntry{{f.was.Deps, f.Deps}, {f.was.Outs, f.Outs}} {
		for i := range list[0] {
			text = replaceDigest(text, &list[0][i].Entry, &list[1][i].Entry)
		}
	}
	// What the words could not say, sizes that are new for example, is edited in.
	g, err := ParseData(f.Path, text)
	if err != nil || !sameEntries(g.Deps, f.Deps) || !sameEntries(g.Outs, f.Outs) {
		return f.Encode()
	}
	g.MD5, g.Deps, g.Outs = f.MD5, withKeys(f.Deps, g.Deps), withKeys(f.Outs, g.Outs)
	out, err := g.Encode()
	if err != nil {
		return nil, err
	}
	again, err := ParseData(f.Path, out)
	if err != nil {
		return nil, err
	}
	if !yaml12.Identical(again.fields(), now) {
		return nil, fmt.Errorf("%s: rewritten text does not say what it should", f.Path)
	}
	return out, nil
}

// withKeys returns the entries with what is known of their places in a text.
func withKeys(list, placed []DataEntry) []DataEntry {
	out := make([]DataEntry, len(list))
	for i := range list {
		out[i] = list[i]
		out[i].keys, out[i].origin = placed[i].keys, placed[i].origin
	}
	return out
}

// replaceDigest replaces the first words that tell an entry's algorithm and
// digest. Words that are written in another way stay.
func replaceDigest(text []byte, was, now *Entry) []byte {
	if was.Digest == "" || now.Digest == "" || was.Hash == "" || was.Hash == now.Hash {
		return text
	}
	at := bytes.Index(text, []byte(was.digestKey()+": "+was.Digest))
	if at < 0 {
		return text
	}
	out := append(bytes.Clone(text[:at]), now.digestKey()+": "+now.Digest...)
	rest := text[at+len(was.digestKey()+": "+was.Digest):]
	// The algorithm stands behind the digest, or before it in the same entry.
	word, other := []byte("hash: "+was.Hash), []byte("hash: "+now.Hash)
	next := bytes.Index(rest, word)
	before := bytes.LastIndex(out, word)
	if before >= 0 && (next < 0 || bytes.Count(out[before:], []byte("\n")) <= bytes.Count(rest[:next], []byte("\n"))) {
		out = append(append(bytes.Clone(out[:before]), other...), out[before+len(word):]...)
	} else if next >= 0 {
		rest = append(append(bytes.Clone(rest[:next]), other...), rest[next+len(word):]...)
	}
	return append(out, rest...)
}
