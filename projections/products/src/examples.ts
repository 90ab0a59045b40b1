/** What the explorer shows first: one tab each. */
export const exampleQueries: readonly string[] = [
  `# Only what you ask for comes back.
# Ctrl+Enter runs it.
query Catalogue {
  categories
  products(limit: 10) {
    productId
    name
    price { amountMinor currency }
    stock
  }
}
`,
  `# One category, a page at a time:
# \`after\` is the last id of the page before.
query Category($category: String = "audio", $after: ID) {
  products(category: $category, limit: 5, after: $after) {
    productId
    name
    description
  }
}
`,
  `# One product, or null when there is none.
query Product {
  product(productId: "aurora-headphones") {
    name
    description
    category
    price { amountMinor currency }
    stock
  }
}
`,
];
