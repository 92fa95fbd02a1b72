package dataset

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// texts collects texts by class: files [PART/]CLASS/NAME.txt at any depth. A
// class that no label names is left out, like the unlabelled texts of IMDB.
type texts struct {
	source *Source
	labels map[string]int
	max    int64
	files  []textFile
	// other are directories that are no class.
	other map[string]bool
}

type textFile struct {
	// name is the path from the root on, with slashes.
	name, part, text string
	class            string
}

func newTexts(s *Source) *texts {
	return &texts{source: s, labels: s.labels(true), max: s.Limits.withDefaults().Record, other: map[string]bool{}}
}

// take reports whether a path is that of a text, and of which part and class.
func (t *texts) take(name string) (f textFile, ok bool) {
	dir, file := path.Split(name)
	if !strings.HasSuffix(file, ".txt") || strings.HasPrefix(file, ".") || dir == "" {
		return f, false
	}
	dirs := strings.Split(strings.Trim(dir, "/"), "/")
	f = textFile{name: name, class: dirs[len(dirs)-1]}
	if len(dirs) > 1 {
		if part := dirs[len(dirs)-2]; part == "train" || part == "test" {
			f.part = part
		}
	}
	if _, ok := t.labels[f.class]; !ok {
		if len(t.other) < 20 {
			t.other[f.class] = true
		}
		return f, false
	}
	return f, true
}

func (t *texts) read(f textFile, r io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(r, t.max+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", f.name, err)
	}
	if int64(len(text)) > t.max {
		return t.source.fail("leave the file out", "%s is larger than %d bytes", f.name, t.max)
	}
	f.text = string(text)
	t.files = append(t.files, f)
	return nil
}

// walk reads the texts of a directory. Symbolic links are not followed.
func (t *texts) walk(ctx context.Context, root string) error {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // opened for reading
	return fs.WalkDir(dir.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if !e.Type().IsRegular() {
			return nil
		}
		full := name
		if !strings.Contains(name, "/") {
			return nil
		}
		// The root itself may be a part: train/pos of …/train.
		if base := filepath.Base(root); base == "train" || base == "test" {
			full = base + "/" + name
		}
		f, ok := t.take(full)
		if !ok {
			return nil
		}
		in, err := dir.Open(name)
		if err != nil {
			return err
		}
		defer in.Close() //nolint:errcheck // opened for reading
		return t.read(f, in)
	})
}

// untar reads the texts of an archive, which is never unpacked to disk.
func (t *texts) untar(ctx context.Context, r io.Reader) error {
	seen := map[string]bool{}
	for archive := tar.NewReader(r); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read archive: %w", err)
		}
		name := strings.TrimPrefix(h.Name, "./")
		if name != "" && !fs.ValidPath(strings.TrimSuffix(name, "/")) || strings.Contains(name, `\`) {
			return t.source.fail("do not trust this archive", "entry %.200q leads out of the archive", h.Name)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		f, ok := t.take(name)
		if !ok {
			continue
		}
		if seen[name] {
			return t.source.fail("do not trust this archive", "entry %.200q occurs twice", h.Name)
		}
		seen[name] = true
		if err := t.read(f, archive); err != nil {
			return err
		}
	}
}

// set makes rows of the texts, in the order of their paths, wherever they came
// from.
func (t *texts) set() (*Set, error) {
	slices.SortFunc(t.files, func(a, b textFile) int { return strings.Compare(a.name, b.name) })
	parts := map[string]bool{}
	for _, f := range t.files {
		parts[f.part] = true
	}
	want := t.source.Part
	if want == "" {
		want = "train"
	}
	both := parts["train"] && parts["test"]
	main, test := newBuilder(t.source, true), newBuilder(t.source, true)
	for _, b := range []*builder{main, test} {
		for name := range t.other {
			b.unknown = append(b.unknown, name)
		}
	}
	for _, f := range t.files {
		b := main
		switch {
		case !both || f.part == want:
		case t.source.Part == "" && f.part == "test":
			b = test
		default:
			continue
		}
		if err := b.add(f.name, f.text, f.class); err != nil {
			return nil, err
		}
	}
	if len(t.files) == 0 && len(t.other) == 0 {
		return nil, t.source.fail("texts are files CLASS/NAME.txt, as pos/1.txt and neg/1.txt", "has no texts")
	}
	if err := main.checkClasses(); err != nil {
		return nil, err
	}
	set := &Set{Rows: main.rows, Stats: main.stats}
	if both && t.source.Part == "" {
		if err := test.checkClasses(); err != nil {
			return nil, err
		}
		set.Test = test.rows
		set.Stats.Rows += test.stats.Rows
		set.Stats.Positive += test.stats.Positive
		set.Stats.Bad += test.stats.Bad
		set.Stats.Faults = append(set.Stats.Faults, test.stats.Faults...)
		set.Stats.Faults = set.Stats.Faults[:min(len(set.Stats.Faults), maxFaults)]
	}
	return set, nil
}
