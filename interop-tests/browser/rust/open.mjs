/** Opens the application's page at an origin, and waits for its module. */
export async function open(page, origin) {
  await page.goto(new URL("/pages/rust/page.html", origin).href);
  await page.evaluate(() => window.ready);
}
