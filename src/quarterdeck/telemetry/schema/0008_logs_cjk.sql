-- The index that held each Chinese, Japanese or Korean character was made with an expression whose escapes SQL had read
-- as bytes, and found none. The new one holds parts written from now on; older ones are read through.
ALTER TABLE logs DROP INDEX IF EXISTS characters;

ALTER TABLE logs ADD INDEX IF NOT EXISTS cjk extractAll(message, '[⺀-鿿가-힯豈-﫿]') TYPE text(tokenizer = 'array', posting_list_codec = 'bitpacking');

-- A field may be an attribute of the line or of its sender: one index alone would not narrow "either of both".
ALTER TABLE logs ADD INDEX IF NOT EXISTS resource_values mapValues(resource) TYPE text(tokenizer = 'array', posting_list_codec = 'bitpacking');
