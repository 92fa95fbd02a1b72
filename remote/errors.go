package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// ErrNotFound is wrapped by the errors of absent names.
var ErrNotFound = errors.New("not found")

var (
	errTooLong = errors.New("more bytes than there should be")
	errBadName = errors.New("not a clean name")
)

// Kind classifies what went wrong, by what can be done about it.
type Kind uint8

// The kinds of errors.
const (
	Other       Kind = iota
	NotFound         // there is nothing of that name
	Denied           // the credentials do not allow it
	Credentials      // there are none, or they are wrong or expired
	Skewed           // the clocks differ too much
	Throttled        // too many requests; later they may be taken
	Unavailable      // the server or the way to it failed; again it may work
	Full             // no space, or a quota is reached
	Corrupt          // the bytes are not what they should be
	Setup            // the bucket, the URL or a setting is wrong
)

// Error is a failed operation on a store.
type Error struct {
	// Op is stat, get, put, list or remove; Name is the object's.
	Op, Name string
	Kind     Kind
	// Wait is how long the server asked to wait, 0 if it did not.
	Wait time.Duration
	Err  error
}

// Error says what failed, on what, and why.
func (e *Error) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s '%s': %v", e.Op, e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors of absent names ErrNotFound.
func (e *Error) Is(target error) bool { return target == ErrNotFound && e.Kind == NotFound }

// Hint says what the user can do, "" if nothing is known to help.
func (e *Error) Hint() string {
	switch e.Kind {
	case Denied:
		return "the credentials do not allow this: ask for read (and, to push, write and list) permission on the bucket and prefix, or choose another profile with `flow remote modify --local <remote> profile <name>`"
	case Credentials:
		return "check or renew the credentials: the remote's profile, access_key_id and secret_access_key, or AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
	case Skewed:
		return "set this machine's clock; the server refuses requests that are minutes off"
	case Throttled:
		return "the server asks for fewer requests: use a smaller -j, or try again later"
	case Unavailable:
		return "check the network and the remote's endpoint, then run the same command again: it goes on where it stopped"
	case Full:
		return "make space on the remote, for instance with `flow gc -c`, then run the same command again"
	case Corrupt:
		return "what the remote holds is damaged or was changed on the way: run the command again; if it stays so, push the object again from a machine that has it"
	case Setup:
		return "see `flow remote list` and `flow remote modify`"
	}
	return ""
}

// KindOf returns the kind of the first *Error in err's chain. Errors of the
// network that are none count as Unavailable.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	var ne net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return Other
	case errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &ne):
		return Unavailable
	}
	return Other
}

// temporary reports whether the same operation may succeed when it is tried
// again.
func temporary(err error) bool {
	switch KindOf(err) {
	case Throttled, Unavailable, Skewed:
		return true
	}
	return false
}

// fatal reports whether every other operation will fail alike, so that there
// is no point in trying them.
func fatal(err error) bool {
	switch KindOf(err) {
	case Credentials, Setup, Skewed, Full:
		return true
	}
	return false
}

// waitOf returns how long the server asked to wait.
func waitOf(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.Wait
	}
	return 0
}

// TransferError tells that some objects could not be moved. The others were.
type TransferError struct {
	// Verb is what failed: "upload" or "download".
	Verb string
	// Failed counts the objects; Errs are the first few reasons.
	Failed int
	Errs   []error
}

// Error counts the files as DVC does, followed by the first reason.
func (e *TransferError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d files failed to %s", e.Failed, e.Verb)
	seen := map[string]bool{}
	for _, err := range e.Errs {
		if text := err.Error(); !seen[text] {
			seen[text] = true
			fmt.Fprintf(&b, "\n  %s", text)
		}
	}
	if rest := e.Failed - len(seen); rest > 0 && len(seen) > 1 {
		fmt.Fprintf(&b, "\n  and %d more", rest)
	}
	return b.String()
}

// Unwrap returns the reasons that are kept.
func (e *TransferError) Unwrap() []error { return e.Errs }

// Hint is that of the first reason.
func (e *TransferError) Hint() string {
	for _, err := range e.Errs {
		var h interface{ Hint() string }
		if errors.As(err, &h) && h.Hint() != "" {
			return h.Hint()
		}
	}
	return "run the same command again: it goes on where it stopped"
}
