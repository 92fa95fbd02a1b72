package track

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Limits of a model directory, against mistakes and malice alike.
const (
	MaxModelFiles = 10_000
	MaxModelBytes = 8 << 30
)

// FileDigest is a file of a directory with the digest of its content.
type FileDigest struct {
	// Path is relative to the directory, with slashes.
	Path   string
	Size   int64
	SHA256 string // hex
}

// DirFiles lists the files below a directory by path, with their digests. Links
// to files count as what they lead to, since outputs may be links into a cache;
// links to directories and special files are errors.
func DirFiles(dir string) ([]FileDigest, error) {
	var list []FileDigest
	var total int64
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if fi, err := os.Stat(p); err != nil {
			return err
		} else if !fi.Mode().IsRegular() {
			return fmt.Errorf("'%s' is not a regular file", p)
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		f, err := digestFile(p)
		if err != nil {
			return err
		}
		f.Path = filepath.ToSlash(rel)
		list = append(list, f)
		if total += f.Size; len(list) > MaxModelFiles || total > MaxModelBytes {
			return fmt.Errorf("'%s' holds more than %d files or %d bytes", dir, MaxModelFiles, int64(MaxModelBytes))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Path < list[j].Path })
	return list, nil
}

func digestFile(name string) (FileDigest, error) {
	f, err := os.Open(name)
	if err != nil {
		return FileDigest{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return FileDigest{}, fmt.Errorf("read '%s': %w", name, err)
	}
	return FileDigest{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// DirDigest returns the digest of a directory: "sha256:" and the hex digest of
// the lines "<sha256> <size> <path>\n" of its files, ordered by path. Modes and
// times do not count.
func DirDigest(dir string) (string, error) {
	list, err := DirFiles(dir)
	if err != nil {
		return "", fmt.Errorf("digest of directory: %w", err)
	}
	return digestOf(list), nil
}

func digestOf(list []FileDigest) string {
	h := sha256.New()
	for _, f := range list {
		fmt.Fprintf(h, "%s %d %s\n", f.SHA256, f.Size, f.Path)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func unescapePath(p string) (string, error) {
	if !strings.Contains(p, "%") {
		return p, nil
	}
	return url.PathUnescape(p)
}
