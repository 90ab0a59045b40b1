/** What the explorer shows first: one tab each. */
export const exampleQueries: readonly string[] = [
  `# The catalogue: only what you ask for comes back. Press Ctrl+Enter.
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
  `# One category, one page; \`after\` continues behind the last id.
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
