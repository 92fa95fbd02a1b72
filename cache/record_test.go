package cache_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/cache"
)

func sampleRecord(t testing.TB, h *cache.Hash) *cache.Record {
	t.Helper()
	d := cache.NewDigest(h, make([]byte, h.Size), true)
	fields := []cache.Field{{"cmd", "cp a b"}, {"dep a", "x"}, {"bytes", "\xff\x00<&>"}, {"\xfe", ""}, {"", "ü"}}
	return &cache.Record{
		Key: cache.KeyOf("1", fields), Version: "1", Stage: "train@a", Fields: fields,
		Outputs: []cache.Output{{Path: "b", Kind: "out", Entry: cache.Entry{Digest: d, Size: 7, Files: 2}}},
		Log:     "a\nb\n", Started: time.Date(2026, 2, 3, 4, 5, 6, 7, time.UTC), Duration: time.Minute,
	}
}

func TestRecords(t *testing.T) {
	contract(t, nil, func(b *bench) {
		r := sampleRecord(b, b.scanner.Hash)
		if _, err := b.store.Record(r.Key); !errors.Is(err, cache.ErrNotFound) {
			b.Errorf("error %v", err)
		}
		if err := b.store.WalkRecords(func(*cache.Record, int64, time.Time) error { return errors.New("a record") }); err != nil {
			b.Error(err)
		}
		for range 2 {
			if err := b.store.PutRecord(r); err != nil {
				b.Fatal(err)
			}
		}
		got, err := b.store.Record(r.Key)
		if err != nil {
			b.Fatal(err)
		}
		if diff := cmp.Diff(r, got, sameDigest); diff != "" {
			b.Error(diff)
		}
		n := 0
		err = b.store.WalkRecords(func(got *cache.Record, size int64, mod time.Time) error {
			if got.Key != r.Key || size == 0 || time.Since(mod) > time.Hour {
				b.Errorf("walked over %+v", got)
			}
			n++
			return nil
		})
		if n != 1 || err != nil {
			b.Errorf("%d records, %v", n, err)
		}
		for range 2 {
			if err := b.store.RemoveRecord(r.Key); err != nil {
				b.Error(err)
			}
		}
		if _, err := b.store.Record(r.Key); !errors.Is(err, cache.ErrNotFound) {
			b.Errorf("error %v", err)
		}
		b.noTemp()
	})
}

func TestDamagedRecords(t *testing.T) {
	b := newBench(t, cache.BLAKE3)
	r := sampleRecord(t, cache.BLAKE3)
	if err := b.store.PutRecord(r); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(b.store.Dir(), "actions", "*", "*.json"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != r.Key.String()+".json" {
		t.Fatal(files, err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]string{
		"empty":         "",
		"torn":          string(good[:len(good)/2]),
		"another field": strings.Replace(string(good), "cp a b", "cp a c", 1),
		"version":       strings.Replace(string(good), `"version": "1"`, `"version": "2"`, 1),
		"digest":        strings.Replace(string(good), "00.dir", "0g.dir", 1),
		"algorithm":     strings.Replace(string(good), `"blake3"`, `"sha1"`, 1),
		"unknown key":   strings.Replace(string(good), `"stage"`, `"x": 1, "stage"`, 1),
		"more":          string(good) + "{}",
		"size":          strings.Replace(string(good), `"size": 7`, `"size": -7`, 1),
	}
	_ = os.Chmod(files[0], 0o644)
	for name, text := range damage {
		if text == string(good) {
			t.Fatalf("%s: nothing is damaged", name)
		}
		if err := os.WriteFile(files[0], []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if r, err := b.store.Record(r.Key); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	report, err := b.store.Verify(t.Context(), cache.VerifyOptions{})
	if err != nil || report.BadRecords != 1 || report.OK() {
		t.Errorf("report %+v, %v", report, err)
	}
	b.verified()
}

func TestPutRecordRefuses(t *testing.T) {
	b := newBench(t, cache.BLAKE3)
	for name, change := range map[string]func(*cache.Record){
		"key":     func(r *cache.Record) { r.Key[3]++ },
		"version": func(r *cache.Record) { r.Version = "" },
		"field":   func(r *cache.Record) { r.Fields[0].Value += " " },
		"output":  func(r *cache.Record) { r.Outputs[0].Entry.Digest = cache.Digest{} },
	} {
		r := sampleRecord(t, cache.BLAKE3)
		change(r)
		if err := b.store.PutRecord(r); err == nil {
			t.Errorf("%s: stored", name)
		}
	}
	b.noTemp()
}

func FuzzRecord(f *testing.F) {
	for _, h := range algorithms {
		data, err := sampleRecord(f, h).Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"key": "` + cache.KeyOf("", nil).String() + `"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := cache.ParseRecord(data)
		if err != nil {
			return
		}
		if r.Key != cache.KeyOf(r.Version, r.Fields) {
			t.Fatal("the key is not that of the fields")
		}
		again, err := r.Encode()
		if err != nil {
			t.Skip("a time that cannot be written")
		}
		got, err := cache.ParseRecord(again)
		if err != nil {
			t.Fatalf("own encoding: %v", err)
		}
		if diff := cmp.Diff(r, got, sameDigest); diff != "" {
			t.Fatal(diff)
		}
	})
}
