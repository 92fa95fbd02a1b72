// Package browser holds the tests of the server's page in a real browser,
// Chromium without a screen. They have the build tag interop.
//
// FLOW_TEST_CHROMIUM names the browser's executable, else chromium or
// chromium-browser is looked for. FLOW_TEST_SCREENSHOTS is a directory that the
// screenshots are kept in.
package browser
