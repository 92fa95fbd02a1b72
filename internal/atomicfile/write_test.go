package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func put(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// want checks a file's content and, except on Windows, its mode.
func want(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(data) != text {
		t.Errorf("%s holds %q, want %q", filepath.Base(path), data, text)
	}
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := fi.Mode(); runtime.GOOS != "windows" && got != mode {
		t.Errorf("%s has the mode %v, want %v", filepath.Base(path), got, mode)
	}
}

// names checks what is in a directory: no temporary files above all.
func names(t *testing.T, dir string, want ...string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Name())
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

// masked is the mode that the umask leaves of one, by what the system does.
func masked(t *testing.T, mode fs.FileMode) fs.FileMode {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, mode)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return fi.Mode()
}

func TestWrite(t *testing.T) {
	for _, sync := range []bool{false, true} {
		t.Run(fmt.Sprintf("sync=%v", sync), func(t *testing.T) {
			dir := t.TempDir()
			o := Options{Sync: sync}
			path := filepath.Join(dir, "f")
			if err := Write(path, []byte("one"), o); err != nil {
				t.Fatal(err)
			}
			want(t, path, "one", masked(t, 0o666))
			if err := Write(path, nil, o); err != nil {
				t.Fatal(err)
			}
			want(t, path, "", masked(t, 0o666))

			private := filepath.Join(dir, "private")
			if err := Write(private, []byte("p"), Options{Mode: 0o600, Sync: sync}); err != nil {
				t.Fatal(err)
			}
			want(t, private, "p", 0o600)

			// An existing file keeps a mode that no umask would give, and one
			// that forbids writing it.
			for _, mode := range []fs.FileMode{0o777, 0o444, 0o602} {
				put(t, path, "old", mode)
				if err := Write(path, []byte("new"), Options{Mode: 0o640, Sync: sync}); err != nil {
					t.Fatal(err)
				}
				want(t, path, "new", mode)
				if err := os.Chmod(path, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			names(t, dir, "f", "private")
		})
	}
}

// A reader of the old file goes on reading it.
func TestWriteLeavesReaders(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not replace a file that is open")
	}
	path := filepath.Join(t.TempDir(), "f")
	put(t, path, "old", 0o666)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(path, []byte("new"), Options{}); err != nil {
		t.Fatal(err)
	}
	if data, err := io.ReadAll(f); err != nil || string(data) != "old" {
		t.Errorf("the reader got %q, %v", data, err)
	}
	want(t, path, "new", 0o666)
}

func symlink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
}

func TestLinks(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	file, link := filepath.Join(other, "file"), filepath.Join(dir, "link")
	put(t, file, "old", 0o640)
	symlink(t, file, link)
	if err := Write(link, []byte("new"), Options{}); err != nil {
		t.Fatal(err)
	}
	want(t, file, "new", 0o640)
	if to, err := os.Readlink(link); err != nil || to != file {
		t.Errorf("the link leads to %q, %v", to, err)
	}

	// Create replaces the link: what it leads to may be an object of a cache.
	if err := Create(link, 0o644, func(w io.Writer) error {
		_, err := io.WriteString(w, "own")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want(t, link, "own", masked(t, 0o644))
	want(t, file, "new", 0o640)

	// A link to nothing.
	lost := filepath.Join(dir, "lost")
	symlink(t, filepath.Join(dir, "nowhere"), lost)
	if err := Write(lost, []byte("found"), Options{}); err != nil {
		t.Fatal(err)
	}
	want(t, lost, "found", masked(t, 0o666))
	names(t, dir, "link", "lost")
	names(t, other, "file")
}

func TestWriteTemp(t *testing.T) {
	dir, temp := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "f")
	for _, where := range []string{temp, filepath.Join(temp, "missing"), ""} {
		if err := Write(path, []byte(where), Options{Temp: where, Sync: true}); err != nil {
			t.Fatalf("by way of %q: %v", where, err)
		}
		want(t, path, where, masked(t, 0o666))
	}
	names(t, dir, "f")
	names(t, temp)
}

// The temporary directory is really where the file is made.
func TestWriteMakesFileInTemp(t *testing.T) {
	temp := t.TempDir()
	var seen []string
	err := create(temp, filepath.Join(t.TempDir(), "f"), 0o666, func(f *os.File) error {
		seen = append(seen, f.Name())
		return nil
	})
	if err != nil || len(seen) != 1 || filepath.Dir(seen[0]) != temp || !strings.HasPrefix(filepath.Base(seen[0]), Prefix) {
		t.Errorf("made %q, %v", seen, err)
	}
}

func TestErrorsLeaveNothing(t *testing.T) {
	failed := errors.New("failed")
	half := func(w io.Writer) error {
		if _, err := io.WriteString(w, "half"); err != nil {
			return err
		}
		return failed
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := Create(path, 0o666, half); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	names(t, dir)
	put(t, path, "old", 0o644)
	if err := Create(path, 0o666, half); !errors.Is(err, failed) {
		t.Errorf("error %v", err)
	}
	want(t, path, "old", 0o644)

	if err := Write(filepath.Join(dir, "no", "f"), []byte("x"), Options{Temp: dir}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing directory: %v", err)
	}
	if err := Write(filepath.Join(path, "f"), []byte("x"), Options{Temp: dir}); err == nil {
		t.Error("a file below a file was written")
	}
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o777); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "sub", "x"), "", 0o666)
	if err := Write(filepath.Join(dir, "sub"), []byte("x"), Options{Temp: dir}); err == nil {
		t.Error("a directory was replaced")
	}
	if err := Create(filepath.Join(dir, "sub"), 0o666, func(io.Writer) error { return nil }); err == nil {
		t.Error("a directory was replaced")
	}
	names(t, dir, "f", "sub")
}

func TestWriteDevice(t *testing.T) {
	if err := Write(os.DevNull, []byte("x"), Options{Sync: true}); err != nil {
		t.Fatal(err)
	}
	if fi, err := os.Stat(os.DevNull); err != nil || fi.Mode().IsRegular() {
		t.Fatalf("%s is %v, %v", os.DevNull, fi.Mode(), err)
	}
}

// Readers of a file with many writers see one of the contents, whole.
func TestConcurrentWriters(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not replace a file that is open")
	}
	path := filepath.Join(t.TempDir(), "f")
	text := func(i int) string { return strings.Repeat(string(rune('a'+i)), 1<<16) }
	put(t, path, text(0), 0o666)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for range 20 {
				if err := Write(path, []byte(text(i)), Options{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	for reading := true; reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) != 1<<16 || strings.Trim(string(data), string(data[:1])) != "" {
			t.Fatalf("a mixture of %d bytes", len(data))
		}
	}
	names(t, filepath.Dir(path), "f")
}
