// Package figure draws the few kinds of figures that flow makes: [Lines] with
// curves, steps, areas and dots, [Bars], and [Matrix] for tables of counts.
//
// A figure is drawn as SVG for documents ([SVG]), PNG for everything else
// ([PNG]), or SVG to be put into a page of HTML, whose colours follow the
// page's ([Inline]). All have a title, labelled axes, a legend outside of the
// data, and colours that people who are colour-blind can tell apart (Okabe and
// Ito 2008). The same figure gives the same bytes. Nothing here is a variable
// that can be changed, so that figures may be drawn in parallel.
package figure
