package dev.qrumb;

import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.Serial;

/** The example of docs/redirect.md, which CarryTest runs. */
final class ScanServlet extends HttpServlet {
  @Serial private static final long serialVersionUID = 1;

  private final transient Redirect redirect;

  ScanServlet(Redirect redirect) {
    this.redirect = redirect;
  }

  @Override
  protected void service(HttpServletRequest request, HttpServletResponse response) {
    Redirect.Answer answer =
        redirect.answer(
            ScanRequest.of(request.getPathInfo().substring(1), request::getHeader)
                .withMethod(request.getMethod())
                .withQuery(request.getQueryString())
                .withClientIp(request.getRemoteAddr()));
    answer.headers().forEach(response::setHeader);
    response.setStatus(answer.status());
  }
}
