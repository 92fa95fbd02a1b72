package model

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/flowrepro/flow/internal/atomicfile"
	"github.com/flowrepro/flow/stages/features"
)

// Parts are what training produced.
type Parts struct {
	Features
	// Classes name the labels 0 and 1.
	Classes [2]string
	// Coef has a weight for each column of the union.
	Coef      []float64
	Intercept float64
	// Calibration is none when it is zero.
	Calibration Calibration
	// Threshold is the probability of label 1 above which it is chosen; 0 is
	// one half.
	Threshold float64
	// Statistics are optional; [Model.Collect] makes them.
	Statistics *Statistics
	// Example is a text that opening the model tries it on, "" for none.
	Example string
	// Metadata is anything else worth keeping: metrics, parameters, digests of
	// the inputs. What is not JSON is an error, as are times and the like for
	// whoever wants the same bytes twice.
	Metadata map[string]any
}

// New makes a model of its parts, in memory. The parts must not be changed
// afterwards.
func New(p Parts) (*Model, error) {
	b, err := build(p)
	if err != nil {
		return nil, fmt.Errorf("make model: %w", err)
	}
	return b.model, nil
}

// Write makes a model's directory and returns the model's digest. The same
// parts give the same bytes. The directory appears whole or not at all, in
// place of a model that was there; anything else that is there stays, and is an
// error. Files are not flushed to disk: the digests tell when a crash lost one.
func Write(ctx context.Context, dir string, p Parts) (digest string, err error) {
	b, err := build(p)
	if err != nil {
		return "", fmt.Errorf("write model %s: %w", dir, err)
	}
	if err := b.addCompanions(); err != nil {
		return "", fmt.Errorf("write model %s: %w", dir, err)
	}
	if err := b.write(ctx, dir); err != nil {
		return "", fmt.Errorf("write model %s: %w", dir, err)
	}
	return b.header.Digest, nil
}

// WriteFeatures is like Write for what there is before a classifier is trained.
func WriteFeatures(ctx context.Context, dir string, f Features) error {
	b := &builder{header: new(header), files: map[string][]byte{}}
	err := b.addFeatures(f)
	if err == nil {
		err = b.identify()
	}
	if err == nil {
		err = b.write(ctx, dir)
	}
	if err != nil {
		return fmt.Errorf("write features %s: %w", dir, err)
	}
	return nil
}

// builder collects the files of a directory.
type builder struct {
	header *header
	files  map[string][]byte
	model  *Model
}

// build makes everything but the files for other programs.
func build(p Parts) (*builder, error) {
	b := &builder{header: new(header), files: map[string][]byte{}}
	if err := b.addFeatures(p.Features); err != nil {
		return nil, err
	}
	if err := b.addClassifier(p); err != nil {
		return nil, err
	}
	if p.Metadata != nil {
		var err error
		if b.header.Metadata, err = line(p.Metadata); err != nil {
			return nil, fmt.Errorf("metadata: %w", err)
		}
	}
	b.header.Statistics = p.Statistics
	if p.Statistics != nil {
		if err := p.Statistics.check(); err != nil {
			return nil, err
		}
	}
	var err error
	if b.model, err = assemble(b.header, b.files); err != nil {
		return nil, err
	}
	if p.Example != "" {
		x := b.model.Predict(p.Example)
		b.header.Example = &headerExample{Text: p.Example, Label: x.Class, LogOdds: x.LogOdds}
	}
	return b, b.identify()
}

func (b *builder) addFeatures(f Features) error {
	var err error
	if b.header.Cleaning, err = f.Cleaning.Normalize(); err != nil {
		return fmt.Errorf("cleaning: %w", err)
	}
	if f.Union == nil {
		return errors.New("no vectorizers")
	}
	for i, p := range f.Union.Parts() {
		v, err := b.addVectorizer(i+1, p)
		if err != nil {
			return fmt.Errorf("vectorizer %q: %w", p.Name, err)
		}
		b.header.Vectorizers = append(b.header.Vectorizers, v)
	}
	return nil
}

func (b *builder) addVectorizer(number int, p features.Part) (headerVectorizer, error) {
	v := headerVectorizer{Name: p.Name, Columns: p.Cols(), Config: p.Config()}
	if vocabulary := p.Vocabulary(); vocabulary != nil {
		v.Terms, v.Index = fmt.Sprintf("terms-%d.bin", number), fmt.Sprintf("index-%d.bin", number)
		text, index, err := termFiles(vocabulary)
		if err != nil {
			return v, err
		}
		b.files[v.Terms], b.files[v.Index] = text, index
	}
	if list := p.IDF(); len(list) > 0 {
		v.IDF = fmt.Sprintf("idf-%d.bin", number)
		data, err := buildIDF(list)
		if err != nil {
			return v, err
		}
		b.files[v.IDF] = data
	}
	return v, nil
}

// termFiles returns the files of a vocabulary: those it was read from, if any.
func termFiles(v features.Vocabulary) (text, index []byte, err error) {
	if t, ok := v.(*terms); ok {
		return t.textFile, t.indexFile, nil
	}
	list := make([]string, v.Len())
	for i := range list {
		list[i] = v.Term(int32(i))
	}
	return buildTerms(list)
}

func (b *builder) addClassifier(p Parts) error {
	if p.Calibration == (Calibration{}) {
		p.Calibration.Slope = 1
	}
	if p.Threshold == 0 {
		p.Threshold = 0.5
	}
	if err := checkClassifier(p.Classes, p.Intercept, p.Calibration, p.Threshold); err != nil {
		return err
	}
	data, err := buildWeights(p.Coef)
	if err != nil {
		return err
	}
	c := &headerClassifier{
		Classes: p.Classes, Columns: len(p.Coef), Weights: "weights.bin",
		Intercept: p.Intercept, Calibration: p.Calibration, Threshold: p.Threshold,
	}
	b.files[c.Weights] = data
	b.header.Classifier = c
	return nil
}

// identify lists the files there are and sets the digests of the content and
// of the header.
func (b *builder) identify() error {
	b.header.Content, b.header.Files = zeroDigest, b.list()
	data, err := b.header.encode()
	if err != nil {
		return err
	}
	b.header.Content = digestOf(append(data, loader...))
	_, err = b.header.encode()
	return err
}

func (b *builder) list() []headerFile {
	list := make([]headerFile, 0, len(b.files))
	for name, data := range b.files {
		list = append(list, headerFile{Path: name, Size: int64(len(data)), BLAKE3: digestOf(data)})
	}
	slices.SortFunc(list, func(x, y headerFile) int { return cmp.Compare(x.Path, y.Path) })
	return list
}

// write makes the directory.
func (b *builder) write(ctx context.Context, dir string) (err error) {
	b.header.Files = b.list()
	head, err := b.header.encode()
	if err != nil {
		return err
	}
	// What would not be read must not be written.
	if _, err := decodeHeader(head); err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	if err := replaceable(dir); err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o777); err != nil { //nolint:gosec // as readable as the umask allows
		return err
	}
	temp, err := os.MkdirTemp(parent, atomicfile.Prefix)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	// The new directory lies inside of the temporary one: that has a mode of its
	// own, and has room for the old directory too.
	fresh := filepath.Join(temp, "new")
	if err := os.Mkdir(fresh, 0o777); err != nil { //nolint:gosec // as readable as the umask allows
		return err
	}
	for name, data := range b.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := put(fresh, name, data); err != nil {
			return err
		}
	}
	if err := put(fresh, HeaderFile, head); err != nil {
		return err
	}
	return swap(fresh, dir, filepath.Join(temp, "old"))
}

func put(dir, name string, data []byte) error {
	file := filepath.Join(dir, filepath.FromSlash(name))
	if sub := path.Dir(name); sub != "." {
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil { //nolint:gosec // as readable as the umask allows
			return err
		}
	}
	return os.WriteFile(file, data, 0o666) //nolint:gosec // as readable as the umask allows
}

// replaceable reports whether dir may be replaced: it does not exist, is empty
// or is a model.
func replaceable(dir string) error {
	list, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(list) == 0 || slices.ContainsFunc(list, func(e fs.DirEntry) bool { return e.Name() == HeaderFile }):
		return nil
	}
	return fmt.Errorf("the directory holds something that is no model (%s)", list[0].Name())
}

// swap puts a new directory in place of the one at dir, which becomes old.
func swap(fresh, dir, old string) error {
	err := os.Rename(dir, old)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	moved := err == nil
	if err := atomicfile.Rename(fresh, dir); err != nil {
		if moved {
			err = errors.Join(err, os.Rename(old, dir))
		}
		return err
	}
	return nil
}
