package remote

import (
	"encoding/hex"
	"strings"

	"github.com/flowrepro/flow/cache"
)

// Prefixes of the names.
const (
	filesPrefix   = "files/"
	recordsPrefix = "actions/"
	runsPrefix    = "runs/"
)

// objectPrefix is what the names of an algorithm's objects begin with.
func objectPrefix(h *cache.Hash) string {
	if h == cache.MD5Text {
		return ""
	}
	return filesPrefix + h.Name + "/"
}

// ObjectName returns the name of the object d.
func ObjectName(d cache.Digest) string {
	text := d.String()
	return objectPrefix(d.Hash()) + text[:2] + "/" + text[2:]
}

// ParseObjectName is the reverse of ObjectName, for objects of the algorithm h.
func ParseObjectName(h *cache.Hash, name string) (cache.Digest, bool) {
	rest, ok := strings.CutPrefix(name, objectPrefix(h))
	if !ok || len(rest) < 4 || rest[2] != '/' {
		return cache.Digest{}, false
	}
	d, err := cache.ParseDigest(h, rest[:2]+rest[3:])
	return d, err == nil
}

// RecordName returns the name of the record with the key, in hex.
func RecordName(key string) string { return recordsPrefix + key[:2] + "/" + key + ".json" }

// parseRecordName is the reverse of RecordName.
func parseRecordName(name string) (key string, ok bool) {
	rest, ok := strings.CutPrefix(name, recordsPrefix)
	if !ok || len(rest) < 4 || rest[2] != '/' {
		return "", false
	}
	key, ok = strings.CutSuffix(rest[3:], ".json")
	return key, ok && isKey(key) && key[:2] == rest[:2]
}

// RunsPrefix is what the names of DVC's results for a key, in hex, begin with.
func RunsPrefix(key string) string { return runsPrefix + key[:2] + "/" + key + "/" }

// RunName returns the name of one of DVC's results.
func RunName(key, value string) string { return RunsPrefix(key) + value }

// parseRunName is the reverse of RunName.
func parseRunName(name string) (key, value string, ok bool) {
	rest, ok := strings.CutPrefix(name, runsPrefix)
	if !ok {
		return "", "", false
	}
	parts := strings.Split(rest, "/")
	if len(parts) != 3 || !isKey(parts[1]) || !isKey(parts[2]) || parts[0] != parts[1][:2] {
		return "", "", false
	}
	return parts[1], parts[2], true
}

// isKey reports whether s is a digest of 32 bytes in lower-case hex.
func isKey(s string) bool {
	if len(s) != 64 || strings.ToLower(s) != s {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

// CheckName refuses names that are not clean. Stores call it, so that nothing
// that came from elsewhere can lead out of them.
func CheckName(op, name string) error {
	bad := strings.IndexByte(name, '\\') >= 0 || strings.IndexByte(name, 0) >= 0
	for rest, more := name, true; more; {
		var part string
		part, rest, more = strings.Cut(rest, "/")
		bad = bad || part == "" || part == "." || part == ".."
	}
	if bad {
		return &Error{Op: op, Name: name, Kind: Setup, Err: errBadName}
	}
	return nil
}

// ParseRunKey returns the key of the computation whose result, in DVC's form, has
// the name; ok is false for other names.
func ParseRunKey(name string) (key string, ok bool) {
	key, _, ok = parseRunName(name)
	return key, ok
}
