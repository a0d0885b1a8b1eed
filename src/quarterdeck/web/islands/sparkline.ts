import type { Island } from "./app";
const chart: Island = () => {};
export default chart;
