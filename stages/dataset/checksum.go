package dataset

import (
	"crypto/md5" //nolint:gosec // publishers give MD5; it pins, it does not prove
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"github.com/zeebo/blake3"
)

// ChecksumError reports a file that is not the one that was pinned.
type ChecksumError struct {
	Location, Want, Have string
}

func (e *ChecksumError) Error() string {
	return fmt.Sprintf("source %s: checksum is %s, want %s", e.Location, e.Have, e.Want)
}

// Hint says what to do about it.
func (e *ChecksumError) Hint() string {
	return "the file has changed or was tampered with; if the new one is meant, set checksum: " + e.Have
}

// parseChecksum splits algorithm:hex.
func parseChecksum(s string) (algorithm, digest string, err error) {
	algorithm, digest, _ = strings.Cut(s, ":")
	algorithm, digest = strings.ToLower(algorithm), strings.ToLower(digest)
	h, err := newHash(algorithm)
	if err != nil {
		return "", "", err
	}
	if b, err := hex.DecodeString(digest); err != nil || len(b) != h.Size() {
		return "", "", fmt.Errorf("checksum %.80q is no %s in hexadecimal", s, algorithm)
	}
	return algorithm, digest, nil
}

func newHash(algorithm string) (hash.Hash, error) {
	switch algorithm {
	case "sha256":
		return sha256.New(), nil
	case "md5":
		return md5.New(), nil //nolint:gosec // see above
	case "blake3":
		return blake3.New(), nil
	}
	return nil, fmt.Errorf("checksum of unknown algorithm %.20q", algorithm)
}

// fileChecksum hashes a file.
func fileChecksum(file, algorithm string) (string, error) {
	h, err := newHash(algorithm)
	if err != nil {
		return "", err
	}
	f, err := os.Open(file) //nolint:gosec // a file of ours
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return algorithm + ":" + hex.EncodeToString(h.Sum(nil)), nil
}
