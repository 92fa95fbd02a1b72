package cache

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Output is one output of a recorded computation.
type Output struct {
	// Path and Kind are as the stage declares them.
	Path, Kind string
	Entry      Entry
}

// Record says what a computation was made of and what it produced. It is
// written only after the objects it names, so that it can be relied on as far
// as they are still there.
type Record struct {
	// Key is KeyOf(Version, Fields).
	Key Key
	// Version is that of the description, see KeyOf.
	Version string
	// Stage is the name of the stage, for people.
	Stage  string
	Fields []Field
	// Outputs are in declared order.
	Outputs []Output
	// Log is the end of what the command printed.
	Log      string
	Started  time.Time
	Duration time.Duration
}

const recordDir = "actions"

func (s *Store) recordPath(k Key) string {
	text := k.String()
	return filepath.Join(s.dir, recordDir, text[:2], text+".json")
}

// Record returns the record of k. The error wraps ErrNotFound when there is
// none, or only one that is damaged or belongs to another key.
func (s *Store) Record(k Key) (*Record, error) {
	data, err := os.ReadFile(s.recordPath(k))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("record %s: %w", k, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", k, err)
	}
	r, err := ParseRecord(data)
	if err == nil && r.Key != k {
		err = errors.New("of another key")
	}
	if err != nil {
		return nil, fmt.Errorf("record %s: damaged (%w): %w", k, err, ErrNotFound)
	}
	return r, nil
}

// PutRecord stores r, replacing any record of the same key. Its key must be
// that of its fields. It is not synced to disk: what a power failure damages
// does not parse, and is computed again.
func (s *Store) PutRecord(r *Record) error {
	data, err := r.Encode()
	if err != nil {
		return fmt.Errorf("put record of stage %s: %w", r.Stage, err)
	}
	path := s.recordPath(r.Key)
	if err := s.writeRecord(path, data); err != nil {
		return fmt.Errorf("put record of stage %s: %w", r.Stage, err)
	}
	return nil
}

func (s *Store) writeRecord(path string, data []byte) error {
	dir := filepath.Dir(path)
	if err := s.mkdir(dir); err != nil {
		return err
	}
	return s.putSmall(dir, path, data)
}

// WalkRecords calls fn for every intact record, in the order of keys. It
// passes over damaged ones. An error from fn ends the walk and is returned.
func (s *Store) WalkRecords(fn func(r *Record, size int64, mod time.Time) error) error {
	return s.walkRecordFiles(func(path string, k Key, info fs.FileInfo) error {
		r, err := s.Record(k)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return fn(r, info.Size(), info.ModTime())
	})
}

func (s *Store) walkRecordFiles(fn func(path string, k Key, info fs.FileInfo) error) error {
	dirs, err := s.recordDirs()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, e := range entries {
			k, ok := parseKey(strings.TrimSuffix(e.Name(), ".json"))
			if !ok || e.Name() != k.String()+".json" {
				continue
			}
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() {
				continue // gone meanwhile
			}
			if err := fn(filepath.Join(dir, e.Name()), k, info); err != nil {
				return err
			}
		}
	}
	return nil
}

// recordDirs lists the directories that hold records.
func (s *Store) recordDirs() ([]string, error) {
	root := filepath.Join(s.dir, recordDir)
	names, err := readNames(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	slices.Sort(names)
	var dirs []string
	for _, name := range names {
		if len(name) == 2 {
			dirs = append(dirs, filepath.Join(root, name))
		}
	}
	return dirs, nil
}

// RemoveRecord deletes the record of k. It is no error when there is none.
func (s *Store) RemoveRecord(k Key) error {
	if err := os.Remove(s.recordPath(k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (s *Store) verifyRecords(ctx context.Context) (bad int, err error) {
	err = s.walkRecordFiles(func(path string, k Key, _ fs.FileInfo) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := s.Record(k); errors.Is(err, ErrNotFound) {
			if err := os.Remove(path); err == nil {
				bad++
			}
		}
		return nil
	})
	return bad, err
}

func parseKey(text string) (Key, bool) {
	var k Key
	if len(text) != 2*len(k) {
		return k, false
	}
	_, err := hex.Decode(k[:], []byte(text))
	return k, err == nil && strings.ToLower(text) == text
}

// The JSON forms. Fields may hold any bytes: what is not UTF-8 is kept in
// another key.
type (
	recordJSON struct {
		Key      string       `json:"key"`
		Version  string       `json:"version"`
		Stage    string       `json:"stage"`
		Fields   []fieldJSON  `json:"fields"`
		Outputs  []outputJSON `json:"outputs"`
		Log      string       `json:"log,omitempty"`
		Started  time.Time    `json:"started,omitzero"`
		Duration int64        `json:"duration_ns"`
	}
	fieldJSON struct {
		Name       string `json:"name,omitempty"`
		NameBytes  []byte `json:"name_bytes,omitempty"`
		Value      string `json:"value,omitempty"`
		ValueBytes []byte `json:"value_bytes,omitempty"`
	}
	outputJSON struct {
		Path   string `json:"path"`
		Kind   string `json:"kind,omitempty"`
		Hash   string `json:"hash"`
		Digest string `json:"digest"`
		Size   int64  `json:"size"`
		Files  int    `json:"files,omitempty"`
		Exec   bool   `json:"exec,omitempty"`
	}
)

func textOrBytes(s string) (string, []byte) {
	if utf8.ValidString(s) {
		return s, nil
	}
	return "", []byte(s)
}

// Encode returns the stored form of the record: indented JSON.
func (r *Record) Encode() ([]byte, error) {
	if !utf8.ValidString(r.Version) {
		return nil, errors.New("record version is not valid UTF-8")
	}
	if KeyOf(r.Version, r.Fields) != r.Key {
		return nil, errors.New("record key is not that of its version and fields")
	}
	j := recordJSON{
		Key: r.Key.String(), Version: r.Version, Stage: r.Stage,
		Fields: make([]fieldJSON, len(r.Fields)), Outputs: make([]outputJSON, len(r.Outputs)),
		Log: r.Log, Started: r.Started, Duration: int64(r.Duration),
	}
	for i, f := range r.Fields {
		j.Fields[i].Name, j.Fields[i].NameBytes = textOrBytes(f.Name)
		j.Fields[i].Value, j.Fields[i].ValueBytes = textOrBytes(f.Value)
	}
	for i, o := range r.Outputs {
		d := o.Entry.Digest
		if d.IsZero() {
			return nil, fmt.Errorf("output %s: no digest", o.Path)
		}
		j.Outputs[i] = outputJSON{
			Path: o.Path, Kind: o.Kind, Hash: d.Hash().Name, Digest: d.String(),
			Size: o.Entry.Size, Files: o.Entry.Files, Exec: o.Entry.Exec,
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(j); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// ParseRecord reads what Encode wrote. The key must be that of the version and
// fields; nothing else about the origin of data is relied on.
func ParseRecord(data []byte) (*Record, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var j recordJSON
	if err := dec.Decode(&j); err != nil {
		return nil, fmt.Errorf("parse record: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse record: more than one value")
	}
	k, ok := parseKey(j.Key)
	if !ok {
		return nil, fmt.Errorf("parse record: key %q", j.Key)
	}
	r := &Record{
		Key: k, Version: j.Version, Stage: j.Stage, Log: j.Log,
		Started: j.Started, Duration: time.Duration(j.Duration),
	}
	for _, f := range j.Fields {
		if f.Name != "" && f.NameBytes != nil || f.Value != "" && f.ValueBytes != nil {
			return nil, errors.New("parse record: field with both text and bytes")
		}
		r.Fields = append(r.Fields, Field{f.Name + string(f.NameBytes), f.Value + string(f.ValueBytes)})
	}
	if KeyOf(r.Version, r.Fields) != k {
		return nil, errors.New("parse record: key is not that of the fields")
	}
	for _, o := range j.Outputs {
		h, err := HashByName(o.Hash)
		if err != nil {
			return nil, fmt.Errorf("parse record: output %s: %w", o.Path, err)
		}
		d, err := ParseDigest(h, o.Digest)
		if err != nil {
			return nil, fmt.Errorf("parse record: output %s: %w", o.Path, err)
		}
		if o.Size < 0 || o.Files < 0 || o.Files > 0 && !d.dir || o.Exec && d.dir {
			return nil, fmt.Errorf("parse record: output %s: inconsistent", o.Path)
		}
		r.Outputs = append(r.Outputs, Output{
			Path: o.Path, Kind: o.Kind,
			Entry: Entry{Digest: d, Size: o.Size, Files: o.Files, Exec: o.Exec},
		})
	}
	return r, nil
}
