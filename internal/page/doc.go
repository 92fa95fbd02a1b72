// Package page renders pages of HTML from templates in the language of
// html/template. It has what the pages of this program need of that language:
// text, fields, variables, if, with, range, and calls of given functions and of
// eq, index and printf; it calls no methods.
//
// That is why it exists: a program with text/template in it may call any method
// by its name, so that the linker has to keep all methods of all types, a fifth of
// this program. A value is escaped as html/template does in text and in quoted
// attributes, wherever it stands; New refuses a template with a value anywhere
// else. Attributes that hold an address, a style or a script take values of the
// program only, never what a user wrote. Tests hold its output to html/template's, byte for byte.
package page
