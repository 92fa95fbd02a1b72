package cache

import (
	"encoding/binary"

	"github.com/zeebo/blake3"
)

// keySalt separates keys from every other use of BLAKE3, so that no key can
// ever be mistaken for, or forced to equal, the digest of some content.
const keySalt = "flow action key v1\x00"

// Tags of the parts of a framed key.
const (
	tagVersion = 'v'
	tagName    = 'n'
	tagValue   = 'V'
	tagEnd     = 'e'
)

// Field is one named part of what goes into a computation. Names need not be
// unique and order counts. Both strings may hold any bytes.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// KeyOf returns the key of a computation described by fields; version is that
// of the description itself. It is the only way to make a Key: what is hashed
// is exactly what a Record keeps, so an explanation cannot differ from the
// decision.
func KeyOf(version string, fields []Field) Key {
	h := blake3.New()
	_, _ = h.WriteString(keySalt) // a hash never fails
	buf := frame(make([]byte, 0, 4096), version, fields)
	_, _ = h.Write(buf)
	var k Key
	h.Sum(k[:0])
	return k
}

// frame appends the description to buf, every part as tag, length and bytes.
// The form can be read back, so no two descriptions share one.
func frame(buf []byte, version string, fields []Field) []byte {
	part := func(tag byte, s string) {
		buf = append(buf, tag)
		buf = binary.AppendUvarint(buf, uint64(len(s)))
		buf = append(buf, s...)
	}
	part(tagVersion, version)
	for _, f := range fields {
		part(tagName, f.Name)
		part(tagValue, f.Value)
	}
	return append(buf, tagEnd)
}
