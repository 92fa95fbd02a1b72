package cache

import (
	"os"
	"path/filepath"
)

// ProbeLinks tries which link types work from one existing directory to
// another, by files that it removes again. Copy always works; it is left out
// when the directories cannot be written.
func ProbeLinks(from, to string) []LinkType {
	src, err := os.CreateTemp(from, ".probe-*")
	if err != nil {
		return nil
	}
	defer func() { _ = os.Remove(src.Name()) }()
	defer src.Close()
	if _, err := src.WriteString("probe"); err != nil {
		return nil
	}
	dst, err := os.CreateTemp(to, ".flow-probe-*")
	if err != nil {
		return nil
	}
	defer func() { _ = os.Remove(dst.Name()) }()
	defer dst.Close()
	var list []LinkType
	if reflink(dst, src) == nil {
		list = append(list, Reflink)
	}
	link := filepath.Join(to, filepath.Base(dst.Name())+".link")
	for _, try := range []struct {
		kind LinkType
		make func(string, string) error
	}{{Hardlink, os.Link}, {Symlink, os.Symlink}} {
		if try.make(src.Name(), link) == nil {
			list = append(list, try.kind)
			_ = os.Remove(link)
		}
	}
	return append(list, Copy)
}
