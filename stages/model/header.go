package model

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/flowrepro/flow/stages/features"
	"github.com/flowrepro/flow/stages/text"
)

const (
	// HeaderFile is the file that makes a directory a model.
	HeaderFile = "model.json"

	formatName = "flow.model"

	// maxHeader bounds the header, of which metadata is the only part that
	// could be large.
	maxHeader = 16 << 20
	// maxFile bounds any other file: what an index can address and a little.
	maxFile = 4<<30 + 1<<20
	// maxFiles bounds how many files there are.
	maxFiles = 256
)

// header is the content of model.json.
type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	// Digest is the BLAKE3 of this file with zeros in place of the digest.
	Digest string `json:"digest"`
	// Content is the BLAKE3 of the header as it was before the files for other
	// programs were added, which bear it in their names.
	Content     string             `json:"content"`
	Cleaning    text.Options       `json:"cleaning"`
	Vectorizers []headerVectorizer `json:"vectorizers"`
	Classifier  *headerClassifier  `json:"classifier,omitempty"`
	Statistics  *Statistics        `json:"statistics,omitempty"`
	Example     *headerExample     `json:"example,omitempty"`
	Metadata    json.RawMessage    `json:"metadata,omitempty"`
	// Files are all other files, by path.
	Files []headerFile `json:"files"`
}

type headerVectorizer struct {
	Name    string          `json:"name"`
	Columns int             `json:"columns"`
	Config  features.Config `json:"config"`
	// Terms, Index and IDF name files; Terms and Index are empty when terms are
	// hashed, IDF is when there are no inverse document frequencies.
	Terms string `json:"terms,omitempty"`
	Index string `json:"index,omitempty"`
	IDF   string `json:"idf,omitempty"`
}

type headerClassifier struct {
	Classes     [2]string   `json:"classes"`
	Columns     int         `json:"columns"`
	Weights     string      `json:"weights"`
	Intercept   float64     `json:"intercept"`
	Calibration Calibration `json:"calibration"`
	Threshold   float64     `json:"threshold"`
}

type headerExample struct {
	Text    string  `json:"text"`
	Label   string  `json:"label"`
	LogOdds float64 `json:"log_odds"`
}

type headerFile struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	BLAKE3 string `json:"blake3"`
}

// zeroDigest stands where the digest of the header will be.
var zeroDigest = strings.Repeat("0", 64)

// digestAt is where the digest is in a header: the beginning is fixed.
var digestAt = len(fmt.Sprintf("{\n  \"format\": %q,\n  \"version\": %d,\n  \"digest\": \"", formatName, formatVersion))

// encode returns the bytes of a header and sets its digest.
func (h *header) encode() ([]byte, error) {
	h.Format, h.Version, h.Digest = formatName, formatVersion, zeroDigest
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(h); err != nil {
		return nil, err
	}
	data := b.Bytes()
	if len(data) > maxHeader {
		return nil, fmt.Errorf("header of %d bytes: want at most %d", len(data), maxHeader)
	}
	h.Digest = digestOf(data)
	copy(data[digestAt:], h.Digest)
	return data, nil
}

func digestOf(data []byte) string {
	sum := blake3.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// decodeHeader reads a header and checks all that can be checked without the
// other files.
func decodeHeader(data []byte) (*header, error) {
	if len(data) > maxHeader {
		return nil, fmt.Errorf("more than %d bytes", maxHeader)
	}
	// The version comes first, for a message that helps.
	var kind struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &kind); err != nil {
		return nil, err
	}
	switch {
	case kind.Format == "":
		return nil, errors.New("no format given")
	case kind.Format != formatName:
		return nil, fmt.Errorf("format %q, want %q", kind.Format, formatName)
	case kind.Version != formatVersion:
		return nil, fmt.Errorf("version %d of the format, want %d", kind.Version, formatVersion)
	}
	if len(data) < digestAt+64 {
		return nil, errors.New("no digest")
	}
	zeroed := bytes.Clone(data)
	copy(zeroed[digestAt:], zeroDigest)
	if want := string(data[digestAt : digestAt+64]); digestOf(zeroed) != want {
		return nil, &CorruptError{Path: HeaderFile, Want: want, Have: digestOf(zeroed)}
	}
	h := new(header)
	if err := readJSON(bytes.NewReader(data), h); err != nil {
		return nil, err
	}
	if h.Digest != string(data[digestAt:digestAt+64]) {
		return nil, errors.New("the digest is not where it should be")
	}
	return h, h.check()
}

// check reports the first thing in a header that makes no sense.
func (h *header) check() error {
	if !isDigest(h.Content) {
		return fmt.Errorf("content %q: want 64 hexadecimal digits", h.Content)
	}
	var err error
	if h.Cleaning, err = h.Cleaning.Normalize(); err != nil {
		return fmt.Errorf("cleaning: %w", err)
	}
	files, err := h.checkFiles()
	if err != nil {
		return err
	}
	if len(h.Vectorizers) == 0 {
		return errors.New("no vectorizers")
	}
	columns := 0
	for _, v := range h.Vectorizers {
		if v.Columns < 1 || v.Columns > maxTerms {
			return fmt.Errorf("vectorizer %q: %d columns: want 1 to %d", v.Name, v.Columns, maxTerms)
		}
		columns += v.Columns
		if (v.Terms == "") != (v.Index == "") {
			return fmt.Errorf("vectorizer %q: terms and index come together", v.Name)
		}
		for _, name := range []string{v.Terms, v.Index, v.IDF} {
			if name != "" && !files[name] {
				return fmt.Errorf("vectorizer %q: file %q is not listed", v.Name, name)
			}
		}
	}
	if h.Classifier == nil {
		return nil
	}
	c := h.Classifier
	switch {
	case c.Columns != columns:
		return fmt.Errorf("%d coefficients for %d columns", c.Columns, columns)
	case !files[c.Weights]:
		return fmt.Errorf("weights %q: the file is not listed", c.Weights)
	}
	if err := checkClassifier(c.Classes, c.Intercept, c.Calibration, c.Threshold); err != nil {
		return err
	}
	if h.Statistics != nil {
		return h.Statistics.check()
	}
	return nil
}

func (h *header) checkFiles() (map[string]bool, error) {
	if len(h.Files) > maxFiles {
		return nil, fmt.Errorf("%d files: want at most %d", len(h.Files), maxFiles)
	}
	files := make(map[string]bool, len(h.Files))
	for _, f := range h.Files {
		switch {
		case !fs.ValidPath(f.Path) || f.Path == "." || path.Clean(f.Path) != f.Path || strings.ContainsAny(f.Path, "\\:\x00"):
			return nil, fmt.Errorf("file %q: want a path inside the directory", f.Path)
		case f.Path == HeaderFile || files[f.Path]:
			return nil, fmt.Errorf("file %q: listed twice", f.Path)
		case f.Size < 0 || f.Size > maxFile:
			return nil, fmt.Errorf("file %q: %d bytes: want at most %d", f.Path, f.Size, int64(maxFile))
		case !isDigest(f.BLAKE3):
			return nil, fmt.Errorf("file %q: digest %q: want 64 hexadecimal digits", f.Path, f.BLAKE3)
		}
		files[f.Path] = true
	}
	return files, nil
}

func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// CorruptError says that a file of a model is not the one that was written.
type CorruptError struct {
	// Path is relative to the model's directory.
	Path string
	// Want and Have are BLAKE3 digests, empty when the size differs already.
	Want, Have string
}

func (e *CorruptError) Error() string {
	if e.Have == "" {
		return e.Path + ": not the size it was written with"
	}
	return fmt.Sprintf("%s: not as it was written: its BLAKE3 is %.12s…, not %.12s…", e.Path, e.Have, e.Want)
}

// Hint says what to do.
func (e *CorruptError) Hint() string {
	return "the model is damaged or was edited; check it out or download it again"
}
