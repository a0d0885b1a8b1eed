// A page that reports to Sentry by its own SDK for browsers; DSN and name come in the page's address.
import * as Sentry from "@sentry/browser";

const given = new URLSearchParams(location.search);
const name = given.get("name");
Sentry.init({
  dsn: given.get("dsn"),
  environment: "production",
  release: `${name}@1.0.0`,
  integrations: [Sentry.browserTracingIntegration()],
  tracesSampleRate: 1,
});
Sentry.setTag("service", name);
window.shop = {
  fail() {
    // Nobody handles it: the SDK's own handler of the window has to.
    setTimeout(() => {
      throw new RangeError("the cart is full: password=hunter22");
    }, 0);
  },
  flush: () => Sentry.flush(10000),
};
