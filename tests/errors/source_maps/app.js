
!function(){try{var e="undefined"!=typeof window?window:"undefined"!=typeof global?global:"undefined"!=typeof globalThis?globalThis:"undefined"!=typeof self?self:{},n=(new e.Error).stack;n&&(e._sentryDebugIds=e._sentryDebugIds||{},e._sentryDebugIds[n]="681b999e-f6ba-5412-8486-9fd6caa5266d")}catch(e){}}();
function e(r){let t=r.total*100;if(t<0)throw new RangeError(`amount ${t} is negative`);return t}function o(r){return e({total:r})}try{o(Number(process.argv[2]))}catch(r){console.log(r.stack)}
//# sourceMappingURL=app.js.map

//# debugId=681b999e-f6ba-5412-8486-9fd6caa5266d
