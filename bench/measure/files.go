package measure

import (
	"bufio"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
)

// Trash takes files and directories out of the way. They are deleted with the
// directory that holds it, in the end: ext4 without a journal passes over inodes
// that were deleted in the last minutes, one by one, so that deleting 100,000
// files makes the next command that creates some, whichever it is, several times
// slower.
type Trash struct {
	// Dir is made when needed. It is on the file system of what is thrown away.
	Dir string
	// Delete is for other file systems: what is thrown away is deleted.
	Delete bool
	thrown int
}

// Throw takes path away. It is no error when there is nothing.
func (t *Trash) Throw(path string) error {
	if t.Delete {
		return os.RemoveAll(path)
	}
	t.thrown++
	if err := os.MkdirAll(t.Dir, 0o777); err != nil {
		return err
	}
	err := os.Rename(path, filepath.Join(t.Dir, strconv.Itoa(t.thrown)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SmallFiles writes count files of size bytes of random text in directories of
// 1,000. They are the same each time.
func SmallFiles(dir string, count, size int) error {
	rng := rand.New(rand.NewPCG(1, 2))
	buf := make([]byte, size)
	for i := range count {
		sub := filepath.Join(dir, strconv.Itoa(i/1000))
		if i%1000 == 0 {
			if err := os.MkdirAll(sub, 0o777); err != nil {
				return err
			}
		}
		for k := range buf {
			buf[k] = 'a' + byte(rng.Uint32()%26)
		}
		if err := os.WriteFile(filepath.Join(sub, strconv.Itoa(i)), buf, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// LargeFile writes a file of size random bytes, the same each time.
func LargeFile(path string, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	rng := rand.NewChaCha8([32]byte{1})
	buf := make([]byte, 1<<20)
	for left := size; left > 0; left -= int64(len(buf)) {
		buf = buf[:min(int64(len(buf)), left)]
		_, _ = rng.Read(buf) // never fails
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return w.Flush()
}
