package graph

import (
	"path"
	"strings"
)

// cleanPath returns the shortest form of a slash path. URLs are kept as they
// are, since cleaning would merge the slashes after their scheme.
func cleanPath(p string) string {
	if strings.Contains(p, "://") {
		return strings.TrimRight(p, "/")
	}
	return path.Clean(p) // allocates only when something changes
}

// parentPath returns the directory that holds p and whether there is one. The
// root of relative paths is ".", and nothing is known to hold a path that
// climbs out of it.
func parentPath(p string) (string, bool) {
	if i := strings.LastIndexByte(p, '/'); i > 0 {
		if strings.HasSuffix(p[:i+1], "://") || p[:i] == ".." || strings.HasSuffix(p[:i], "/..") {
			return "", false
		}
		return p[:i], true
	} else if i == 0 {
		return "/", p != "/"
	}
	return ".", p != "." && relative(p)
}

// insidePrefix is the text with which every path strictly inside the
// directory p begins. Below "." that is no text at all, which the caller must
// treat on its own: see relative.
func insidePrefix(p string) string {
	switch {
	case p == ".":
		return ""
	case strings.HasSuffix(p, "/"):
		return p
	}
	return p + "/"
}

// below reports whether p lies strictly inside the directory dir.
func below(p, dir string) bool {
	if dir == "." {
		return p != "." && relative(p)
	}
	prefix := insidePrefix(dir)
	return len(p) > len(prefix) && strings.HasPrefix(p, prefix)
}

// relative reports whether p counts as inside the project's root: not
// absolute, on whatever system, not climbing out, not a URL.
func relative(p string) bool {
	if p == "" || p[0] == '/' || p == ".." || strings.HasPrefix(p, "../") || strings.Contains(p, "://") {
		return false
	}
	return len(p) < 2 || p[1] != ':'
}
