// Package report makes one page of HTML of an evaluation. It is pure: data in,
// HTML out, the same bytes for the same data.
//
// The page needs nothing but itself: figures are inline SVG, styles are in it,
// there are no scripts, and its content security policy forbids any. It follows
// the reader's light or dark theme and fits a phone. All text of the data is
// escaped by html/template.
package report
