package cache

import (
	"errors"
	"path/filepath"
	"strings"
)

// checkPart refuses a path component that Windows takes for something else: a
// separator, a drive, a stream or a device.
func checkPart(part string) error {
	if strings.ContainsAny(part, `\:`) || !filepath.IsLocal(part) {
		return errors.New("not a file name on this system")
	}
	return nil
}
