/** Carries scans through Jakarta servlets, whose API the program brings. */
package dev.qrumb.servlet;
