package track

import (
	"errors"
	"fmt"
)

// What went wrong, for errors.Is. Every error of a store that falls under one
// of these wraps it.
var (
	// ErrNotFound reports an experiment, run, model, version, alias or
	// artifact that does not exist.
	ErrNotFound = errors.New("not found")
	// ErrInvalid reports a request that can never succeed: a name that is not
	// allowed, a value too long, another value for a parameter already logged.
	ErrInvalid = errors.New("invalid")
	// ErrDenied reports missing or refused credentials.
	ErrDenied = errors.New("access denied")
	// ErrUnavailable reports a store that does not answer now, and may later.
	ErrUnavailable = errors.New("unavailable")
	// ErrUnsupported reports what the store cannot do, and never will.
	ErrUnsupported = errors.New("not supported")
)

// Error is a failed operation of a store, with advice.
type Error struct {
	// Op is the operation with its object: "get run 'f00'".
	Op string
	// Err is the cause; it wraps one of the values above where one fits.
	Err error
	// Advice says what to do; empty if there is nothing to say.
	Advice string
}

func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *Error) Hint() string { return e.Advice }

// NotFound returns an error of the kind ErrNotFound.
func NotFound(op string) error { return &Error{Op: op, Err: ErrNotFound} }

// Invalid returns an error of the kind ErrInvalid.
func Invalid(op, format string, args ...any) error {
	return &Error{Op: op, Err: fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))}
}
