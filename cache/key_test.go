package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
)

// unframe reads back what frame wrote. That it can is the proof that no two
// descriptions have the same bytes.
func unframe(data []byte) (version string, fields []Field, err error) {
	part := func(tag byte) (string, error) {
		if len(data) == 0 || data[0] != tag {
			return "", errors.New("tag")
		}
		n, k := binary.Uvarint(data[1:])
		if k <= 0 || n > uint64(len(data)-1-k) {
			return "", errors.New("length")
		}
		s := string(data[1+k:][:n])
		data = data[1+k+int(n):]
		return s, nil
	}
	if version, err = part(tagVersion); err != nil {
		return "", nil, err
	}
	for {
		if bytes.Equal(data, []byte{tagEnd}) {
			return version, fields, nil
		}
		var f Field
		if f.Name, err = part(tagName); err != nil {
			return "", nil, err
		}
		if f.Value, err = part(tagValue); err != nil {
			return "", nil, err
		}
		fields = append(fields, f)
	}
}

// fieldsFrom makes a description of arbitrary bytes: cut says where.
func fieldsFrom(data, cut []byte) (string, []Field) {
	next := func() string {
		if len(cut) == 0 {
			s := string(data)
			data = nil
			return s
		}
		n := min(int(cut[0]), len(data))
		cut = cut[1:]
		s := string(data[:n])
		data = data[n:]
		return s
	}
	version := next()
	var fields []Field
	for len(data) > 0 || len(cut) > 0 {
		fields = append(fields, Field{next(), next()})
	}
	return version, fields
}

func FuzzKey(f *testing.F) {
	f.Add([]byte("1cmdcp a b"), []byte{1, 3}, []byte{1, 2})
	f.Add([]byte("v\x01e"), []byte{0, 0, 0}, []byte{})
	f.Add([]byte("n\x00V\x00"), []byte{0}, []byte{0, 2})
	f.Fuzz(func(t *testing.T, data, cut1, cut2 []byte) {
		v1, f1 := fieldsFrom(data, cut1)
		v2, f2 := fieldsFrom(data, cut2)
		b1, b2 := frame(nil, v1, f1), frame(nil, v2, f2)
		same := v1 == v2 && slices.Equal(f1, f2)
		if bytes.Equal(b1, b2) != same {
			t.Fatalf("%q %q and %q %q", v1, f1, v2, f2)
		}
		if (KeyOf(v1, f1) == KeyOf(v2, f2)) != same {
			t.Fatalf("keys of %q %q and %q %q", v1, f1, v2, f2)
		}
		v, fields, err := unframe(b1)
		if err != nil || v != v1 || !slices.Equal(fields, f1) {
			t.Fatalf("read back %q %q, %v; want %q %q", v, fields, err, v1, f1)
		}
	})
}

// Keys are stored in caches and remotes: they stay what they are until the
// salt changes.
func TestKeyIsStable(t *testing.T) {
	for _, tt := range []struct {
		version string
		fields  []Field
		want    string
	}{
		{"", nil, "b73f0cb60e01f71e3b40b17adbaac6f768dc527ba9f4420f2d526fc6335b4355"},
		{"1", []Field{{"cmd", "cp a b"}, {"dep", "a"}}, "8eb2b9b3eed8096c3e3dfbc5d70391b83e9e745ca95b95f5380b5894cb5dd0b8"},
	} {
		if got := KeyOf(tt.version, tt.fields).String(); got != tt.want {
			t.Errorf("%q %q: %s", tt.version, tt.fields, got)
		}
	}
}
