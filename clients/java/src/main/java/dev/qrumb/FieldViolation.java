package dev.qrumb;

/**
 * A rule that a request breaks, as the server said it.
 *
 * @param field where
 * @param reason which kind of rule
 * @param description the rule in words
 */
public record FieldViolation(String field, String reason, String description) {}
