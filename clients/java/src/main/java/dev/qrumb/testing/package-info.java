/** A node for the tests of what sends events. */
package dev.qrumb.testing;
