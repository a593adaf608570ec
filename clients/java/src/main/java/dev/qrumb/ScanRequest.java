package dev.qrumb;

import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * What is known of a request that a scan makes.
 *
 * @param code a QR code of the table, or the path of a GS1 Digital Link
 * @param header gives the request's header of a name, whatever the case of its letters; null: none
 * @param method of the request; HEAD is answered like GET and is not a scan
 * @param query as it came, without its {@code ?}, or null; it is forwarded
 * @param clientIp the visitor's address, not a proxy's; gives country and city and is dropped
 * @param consent the visitor's, where it is known already; null: the site's default
 * @param labels what is known of the code, such as its campaign or its print run
 */
public record ScanRequest(
    String code,
    UnaryOperator<String> header,
    String method,
    String query,
    String clientIp,
    Consent consent,
    Map<String, ?> labels) {
  /**
   * A GET without a query.
   *
   * @param code a QR code of the table, or the path of a GS1 Digital Link
   * @param header gives the request's header of a name, such as {@code request::getHeader}
   * @return the request
   */
  public static ScanRequest of(String code, UnaryOperator<String> header) {
    return new ScanRequest(code, header, "GET", "", "", null, Map.of());
  }

  /**
   * The same with another method.
   *
   * @param other of the request
   * @return the request
   */
  public ScanRequest withMethod(String other) {
    return new ScanRequest(code, header, other, query, clientIp, consent, labels);
  }

  /**
   * The same with another query.
   *
   * @param other as it came, or null
   * @return the request
   */
  public ScanRequest withQuery(String other) {
    return new ScanRequest(
        code, header, method, other == null ? "" : other, clientIp, consent, labels);
  }

  /**
   * The same with another address.
   *
   * @param other the visitor's
   * @return the request
   */
  public ScanRequest withClientIp(String other) {
    return new ScanRequest(code, header, method, query, other, consent, labels);
  }

  /**
   * The same with another consent.
   *
   * @param other the visitor's
   * @return the request
   */
  public ScanRequest withConsent(Consent other) {
    return new ScanRequest(code, header, method, query, clientIp, other, labels);
  }

  /**
   * The same with other labels.
   *
   * @param other of JSON's types
   * @return the request
   */
  public ScanRequest withLabels(Map<String, ?> other) {
    return new ScanRequest(code, header, method, query, clientIp, consent, other);
  }
}
