package lock

import (
	"cmp"
	"crypto/md5" //nolint:gosec // DVC's digest of directories; it protects nothing.
	"encoding/hex"
	"slices"
	"strings"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// CloudFile is a file of an entry and where a cloud-versioned remote has it.
type CloudFile struct {
	// Path is below the entry's, with slashes; "" for an entry that is a file.
	Path string
	// Digest is MD5 in hex, Size in bytes, negative when not recorded.
	Digest string
	Size   int64
	// Remote is the name of the remote, "" when none has it; Version is the
	// version there, "" for the latest.
	Remote, Version string
}

// CloudFiles returns what an entry says of its files on a cloud-versioned remote:
// one for each of a directory, or the entry itself. What a file says is not
// checked. There are none of other entries.
func (e *Entry) CloudFiles() []CloudFile {
	if v, ok := e.Extra.Get("files"); ok {
		list, _ := v.([]any)
		files := make([]CloudFile, 0, len(list))
		for _, item := range list {
			m, _ := item.(*yaml12.Map)
			f := CloudFile{Path: textOf(m, "relpath"), Digest: strings.ToLower(textOf(m, "md5")), Size: -1}
			if n, ok := m.Get("size"); ok {
				if n, ok := n.(int64); ok {
					f.Size = n
				}
			}
			f.locate(m)
			files = append(files, f)
		}
		return files
	}
	if _, ok := e.Extra.Get("cloud"); !ok {
		return nil
	}
	f := CloudFile{Digest: e.Digest, Size: e.Size}
	f.locate(e.Extra)
	return []CloudFile{f}
}

// locate reads the key "cloud": the one remote, with its tag and version.
func (f *CloudFile) locate(m *yaml12.Map) {
	v, _ := m.Get("cloud")
	remotes, _ := v.(*yaml12.Map)
	if remotes.Len() != 1 {
		return
	}
	name, _ := remotes.Items[0].Key.(string)
	at, _ := remotes.Items[0].Value.(*yaml12.Map)
	f.Remote, f.Version = strings.ToLower(name), textOf(at, "version_id")
}

func textOf(m *yaml12.Map, key string) string {
	v, _ := m.Get(key)
	text, _ := v.(string)
	return text
}

// Manifest returns the manifest, in DVC's format, of a directory of which the
// entry lists the files; nil for other entries.
func (e *Entry) Manifest() []byte {
	if !e.Listed {
		return nil
	}
	files := e.CloudFiles()
	slices.SortStableFunc(files, func(a, b CloudFile) int { return cmp.Compare(a.Path, b.Path) })
	list := make([]any, len(files))
	for i, f := range files {
		m := new(yaml12.Map)
		add(m, "md5", f.Digest)
		add(m, "relpath", f.Path)
		list[i] = m
	}
	return python.JSON(list)
}

// derive gives an entry that lists its files the digest that they make.
func (e *Entry) derive() {
	files, ok := e.Extra.Get("files")
	list, _ := files.([]any)
	if !ok || e.Digest != "" || len(list) == 0 {
		return
	}
	e.Listed = true
	sum := md5.Sum(e.Manifest()) //nolint:gosec // see the import
	e.Digest = hex.EncodeToString(sum[:]) + ".dir"
	e.Size, e.Files = 0, int64(len(list))
	for _, f := range e.CloudFiles() {
		e.Size += max(f.Size, 0)
	}
}
