package cache

import (
	"bytes"
	"cmp"
	"crypto/md5" //nolint:gosec // DVC's format is MD5; it identifies content, it does not protect it.
	"encoding/hex"
	"fmt"
	"hash"
	"strings"

	"github.com/zeebo/blake3"
)

// Hash is a digest algorithm: its name in lock files, its size in bytes and
// its constructor. Values are compared by pointer.
type Hash struct {
	// Name is the value of the "hash" field and the name of the key that
	// holds the digest in a lock entry: "blake3" or "md5".
	Name string
	// Size is the length of a digest in bytes.
	Size int
	// New returns a fresh hash. It is safe for concurrent use.
	New func() hash.Hash

	id uint8
}

// The algorithms. MD5Text is the one of DVC 2.x: MD5 of the content with CRLF
// replaced by LF where the content looks like text; its entries carry no hash
// field and its objects live at another place.
var (
	BLAKE3  = &Hash{Name: "blake3", Size: 32, New: func() hash.Hash { return blake3.New() }, id: 1}
	MD5     = &Hash{Name: "md5", Size: 16, New: md5.New, id: 2}
	MD5Text = &Hash{Name: "md5-dos2unix", Size: 16, New: newTextMD5, id: 3}
)

var hashes = []*Hash{BLAKE3, MD5, MD5Text}

// HashByName returns the algorithm that lock files call name.
func HashByName(name string) (*Hash, error) {
	for _, h := range hashes {
		if h.Name == name {
			return h, nil
		}
	}
	return nil, fmt.Errorf("unknown hash %q", name)
}

// RecordedHash returns the algorithm of an entry of a lock or .dvc file by the name
// that the entry gives: those of DVC 2.x give none and are of MD5Text.
func RecordedHash(name string) (*Hash, error) {
	if name == "" {
		return MD5Text, nil
	}
	return HashByName(name)
}

// dirSuffix marks the digest of a directory manifest, in DVC's way.
const dirSuffix = ".dir"

// Digest names bytes: those of a file, or, when IsDir, those of a directory
// manifest. The zero Digest names nothing. Digests are comparable.
type Digest struct {
	id  uint8
	dir bool
	sum [32]byte
}

// NewDigest returns the digest of the given sum, which must be h.Size bytes.
func NewDigest(h *Hash, sum []byte, dir bool) Digest {
	if len(sum) != h.Size {
		panic(fmt.Sprintf("cache: %s digest of %d bytes", h.Name, len(sum)))
	}
	d := Digest{id: h.id, dir: dir}
	copy(d.sum[:], sum)
	return d
}

// ParseDigest reads the text form: lower-case hex, followed by ".dir" for a
// directory.
func ParseDigest(h *Hash, text string) (Digest, error) {
	digits, dir := strings.CutSuffix(text, dirSuffix)
	if len(digits) != 2*h.Size {
		return Digest{}, fmt.Errorf("%s digest %q: want %d hexadecimal digits", h.Name, text, 2*h.Size)
	}
	d := Digest{id: h.id, dir: dir}
	if decodeHex(d.sum[:h.Size], digits) {
		return d, nil
	}
	if strings.ToLower(digits) != digits {
		return Digest{}, fmt.Errorf("%s digest %q: not lower case", h.Name, text)
	}
	return Digest{}, fmt.Errorf("%s digest %q: want hexadecimal digits", h.Name, text)
}

// Hash returns the algorithm that made the digest, nil for the zero Digest.
func (d Digest) Hash() *Hash {
	if d.id == 0 {
		return nil
	}
	return hashes[d.id-1]
}

// IsZero reports whether d names nothing.
func (d Digest) IsZero() bool { return d.id == 0 }

// IsDir reports whether d names a directory manifest.
func (d Digest) IsDir() bool { return d.dir }

// Sum returns the bytes of the digest, without the directory mark.
func (d Digest) Sum() []byte {
	if d.id == 0 {
		return nil
	}
	return append([]byte(nil), d.sum[:d.Hash().Size]...)
}

// Compare orders digests: by algorithm, then by their bytes, files before
// directories of the same bytes.
func (d Digest) Compare(o Digest) int {
	if d.id != o.id {
		return cmp.Compare(d.id, o.id)
	}
	if c := bytes.Compare(d.sum[:], o.sum[:]); c != 0 || d.dir == o.dir {
		return c
	}
	if d.dir {
		return 1
	}
	return -1
}

// Hex returns the digest in lower-case hex, without the directory mark.
func (d Digest) Hex() string {
	if d.id == 0 {
		return ""
	}
	return hex.EncodeToString(d.sum[:d.Hash().Size])
}

// String returns the text form that ParseDigest reads.
func (d Digest) String() string {
	if d.dir {
		return d.Hex() + dirSuffix
	}
	return d.Hex()
}

// Entry is what flow knows of a file or directory by content.
type Entry struct {
	Digest Digest
	// Size is in bytes; for a directory the sum over its files.
	Size int64
	// Files counts a directory's files; 0 for a file.
	Files int
	// Exec is set for a single file with any execute bit.
	Exec bool
}

// Key identifies a computation. It is not a Digest: it names no bytes.
type Key [32]byte

// String returns the key in hex.
func (k Key) String() string { return hex.EncodeToString(k[:]) }
